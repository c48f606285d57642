"""`sweeper tune --json`: one document on standard output, of a tuning that ended and of one that didn't."""

import json

import pytest
from json_schema import check

from sweeper.tune.command import main
from tests.tune.conftest import TASK


def document_in(out: str) -> dict:
    """The document after what goes to stderr, but not within pytest."""
    document = json.loads(out[out.index("{\n") :])
    check("tune", document)
    return document


def test_the_document_has_the_choice_and_the_comparison(trainer, capfd):
    assert main(["--json", *TASK, "optimizer=sgd"]) == 0
    document = document_in(capfd.readouterr().out)
    assert document["outputs"] == "outputs" and document["tuning"].startswith("outputs-tuning/digits-mlp-")
    assert document["preset"] == {"folder": f"{document['tuning']}/presets", "name": "tuned"}
    (tuned,) = document["tuned"]
    assert (tuned["optimizer"], tuned["values"]["lr"], tuned["trials"], tuned["edge"]) == ("sgd", 0.1, 3, None)
    assert document["comparison"]["answers"] == ["No winner yet"] and "--json" in trainer.asked[-1]


@pytest.mark.parametrize(
    ("words", "code", "error"), [(["epochs=1"], 2, "epochs is given twice"), ([], 130, None), ([], 137, None)]
)
def test_what_failed_is_in_it(trainer, capfd, words, code, error):
    trainer.codes = {2: code}
    assert main(["--json", *TASK, "optimizer=sgd", *words]) == code
    document = document_in(capfd.readouterr().out)
    assert document["exit_code"] == code and document["comparison"] is None and document["tuned"] == []
    assert (document["error"] or "").startswith(error or "")
