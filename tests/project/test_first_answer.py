"""The benchmark of a newcomer's wait: its moments are found, and what the pages say of it is what was measured."""

import csv
import re
import subprocess
import time

import pytest
from conftest import REPOSITORY

from benchmarks.first_answer import FIGURES, MOMENTS, moments, table, wait_for_answer

PAGE = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
MAKEFILE = """
sweep:
	@echo first && sleep 0.2 && mkdir .venv && touch .venv/.installed && sleep 0.3
	@mkdir -p outputs/task/run && cd outputs/task/run && echo epoch > metrics.csv && sleep 0.3 && echo 1 >> metrics.csv
	@sleep 0.3 && python3 -c "import time; t = time.process_time; [0 for _ in iter(lambda: t() > 0.4, True)]"
	@echo "sgd > adam" && echo "page: outputs/report.html"
"""


def test_each_moment_is_found_where_it_happens(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "Makefile").write_text(MAKEFILE)
    git = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "made"]):
        subprocess.run([*git, *words], cwd=made, check=True)
    found = wait_for_answer(str(made), tmp_path / "clone")
    seconds = {name: moment[0] for name, moment in found.items()}
    assert sorted(seconds, key=seconds.get) == list(MOMENTS)
    assert seconds["first epoch"] - seconds["installed"] > 0.5 and seconds["answer"] - seconds["first epoch"] > 0.2
    assert found["answer"][1] > 0.3  # what it counts to takes longer


def test_a_recipe_that_fails_is_told_with_its_lines(tmp_path):
    """Without a Makefile, here."""
    (tmp_path / "made").mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "made", check=True)
    began = time.monotonic()
    with pytest.raises(SystemExit, match="No rule to make target"):
        wait_for_answer(str(tmp_path / "made"), tmp_path / "clone")
    assert time.monotonic() - began < 30


def test_the_answer_is_the_line_before_the_pages():
    said = ("python3 -m venv .venv", "15 runs", "muon > lion", "page: report.html")
    found = moments([((float(k), k / 10), f"{line}\n") for k, line in enumerate(said)])
    assert found == {"first line": (0.0, 0.0), "answer": (2.0, 0.2)}


def test_after_the_installation_the_seconds_are_counted_from_it():
    times = dict(zip(MOMENTS, [(0.5, 0.0), (1.0, 0.1), (40.0, 30.0), (60.0, 55.0), (90.0, 80.25)], strict=True))
    rows = [list(row.values()) for row in table(times)]
    assert rows[1] == ["first line", 1.0, 0.1] and rows[2] == ["installed", 40.0, 30.0]
    assert rows[4] == ["answer", 90.0, 80.2, 50.0, 50.2]


def test_the_pages_say_what_was_measured():
    """README's minute is that of the newest measurement."""
    (name,) = re.findall(r"\(\.\./(benchmarks/results/\S+-first-answer\.csv)\)", PAGE)
    with (REPOSITORY / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["until"] for row in rows] == list(MOMENTS) and {row["cores"] for row in rows} == {"2"}
    for row in rows:
        assert f"| {' | '.join(row[column] for column in ('until', *FIGURES))} |".replace("|  ", "| ") in PAGE
    assert float(rows[-1]["seconds_after_installing"]) < 60
    assert "under a minute on two cores, after installing" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
