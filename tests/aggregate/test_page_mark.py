"""A page tells by its mark of which runs it is; what is no mark tells nothing."""

import shutil

import pytest
from made_runs import make_run

from sweeper.aggregate.contents import Contents
from sweeper.aggregate.page_mark import NAME, Mark, digest_of, read_mark
from sweeper.report.command import main
from sweeper.runs.results import read_results


def digest(*folders):
    return digest_of(Contents(read_results(folders)))


def test_the_mark_of_a_page_is_that_of_its_runs(tmp_path):
    outputs = tmp_path / "A"
    for seed in (1, 2):
        make_run(outputs, seed=seed)
    assert main([str(outputs), "--margin", "0.3"]) == 0
    assert read_mark(outputs / "report.html") == Mark(digest(outputs), 0.003)
    assert main([str(outputs)]) == 0
    assert read_mark(outputs / "report.html") == Mark(digest(outputs), None)


def test_the_digest_is_of_the_runs_and_not_of_the_place_from_which_they_are_read(tmp_path, monkeypatch):
    for seed, name in enumerate("AB"):
        make_run(tmp_path / name, seed=seed)
    monkeypatch.chdir(tmp_path)
    both = digest("A", "B")
    assert digest(tmp_path / "B", tmp_path / "A") == both
    assert digest("A") != both
    make_run(tmp_path / "B", seed=1, accuracy=0.8)
    changed = digest("A", "B")
    assert changed != both
    shutil.rmtree("B")
    make_run(tmp_path / "B", seed=1)
    assert digest("A", "B") == both


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<html>",
        f'<meta name="{NAME}" content="abc">',
        *(f'<meta name="{NAME}" content="{"0" * 64} {margin}">' for margin in ("1e99", "-1", "1.2.3", "nan")),
    ],
)
def test_what_is_no_mark_tells_nothing(tmp_path, content):
    (tmp_path / "report.html").write_text(content)
    assert read_mark(tmp_path / "report.html") is None
