"""Runs whose page the tests of this folder open, and the page in a browser."""

import csv

import pytest
from made_runs import make_run, make_study

from sweeper.aggregate.command import aggregate
from sweeper.report.command import report


@pytest.fixture(scope="session")
def outputs(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("study")
    make_study(outputs, epochs=150)
    make_run(outputs, "diverged", optimizer="lion", seed=9, epochs=150, optimizer__lr=0.0002, target_accuracy=0.85)
    aggregate([str(outputs)], None, ["csv"])
    report([str(outputs)])
    return outputs


@pytest.fixture(scope="module")
def browser(outputs):
    from tests.browser.pages import open_page  # which needs selenium

    with open_page(outputs / "report.html") as browser:
        yield browser


@pytest.fixture(scope="session")
def results(outputs):
    with (outputs / "results.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["status"] == "completed"]
