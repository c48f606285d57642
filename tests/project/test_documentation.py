"""What the tutorial and the how-to pages tell to write and to type works, page by page in an empty folder."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import REPOSITORY
from documented_commands import CARRIED_OUT, DOCS, is_carried_out, module_of, read_commands
from documented_pages import lay
from forked_children import NO_COMMIT, run_all_forked
from made_folder import LOADER, make_folder
from made_runs import make_run
from small_commands import made_small

from sweeper.config.grid import compose_grid
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.verify.command import main as verify

PROGRAM = re.compile(r"```python\n(import sweeper\n.*?)```", re.DOTALL)
REFUSED = ("optimizer=lino",)  # shown for its error


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Those of sweeper, as module and words."""
    return [module_of(command) for command in read_commands(page) if command.startswith("python -m sweeper.")]


@pytest.mark.slow
@pytest.mark.parametrize("page", CARRIED_OUT, ids=lambda page: page.stem)
def test_a_page_works_from_its_beginning_to_its_end(tmp_path, page):
    environment = lay(tmp_path, page)
    asked = [command for command in read_commands(page) if is_carried_out(page, command)]
    todo = [command for command in asked if not command.startswith("find ")]
    if page.stem == "tables":  # it reads what others have made
        todo.insert(0, "python -m sweeper.train -m dataset=digits model=mlp seed=1,2")
    for command in todo:
        module, *words = made_small(command, in_process=True)
        name = module.removeprefix("sweeper.")
        done = run_all_forked(name, *words, cwd=tmp_path, patch=NO_COMMIT, **environment)
        expected = 2 if set(words) & set(REFUSED) else 0
        assert done.returncode == expected, f"{command}\n{done.stdout}{done.stderr}"
    for command in asked:
        if command.startswith("find "):
            subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, check=True)
    for program in PROGRAM.findall(page.read_text()):
        (first,) = list(tmp_path.glob("outputs/*/adam-seed1-*"))[:1] or [tmp_path]
        of_this_run = re.sub(r"outputs/[\w-]+/adam-seed1-\w+", str(first), program)
        variables = {**os.environ, **environment}
        done = subprocess.run([sys.executable, "-c", of_this_run], cwd=tmp_path, env=variables, check=False)
        assert done.returncode == 0


def test_what_is_sent_holds_where_it_arrives(tmp_path, capsys):
    """Arms of one optimizer are arms there too, and the files are the small ones alone."""
    sent, there = tmp_path / "sent", tmp_path / "there"
    runs = make_folder(sent / "outputs")
    low = [make_run(sent / "outputs", seed=s, dataset__loader=LOADER, optimizer__momentum=0.5) for s in (1, 2)]
    (low[0] / "model.safetensors").write_bytes(b"large")
    arms = {"usual": [runs["sgd1"], runs["sgd2"]], "less momentum": low}
    record_arms(sent / "outputs", AskedRuns([run for of in arms.values() for run in of], [arms]))
    for name in ("confirmations.json", "results.csv"):
        (sent / "outputs" / name).write_text('{"runs": []}')
    (line,) = [command for command in read_commands(DOCS / "join.md") if command.startswith("find ")]
    subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=sent, check=True)
    there.mkdir()
    subprocess.run(["tar", "xzf", sent / "runs.tar.gz"], cwd=there, check=True)
    assert {file.name for file in there.glob("outputs/*")} - {file.name for file in sent.glob("outputs/*/")} == {
        "arms.json",
        "confirmations.json",
    }
    assert {file.name for file in there.glob("outputs/*/*/*")} == {"run.json", "metrics.csv"}
    verify([str(there / "outputs")])
    told = capsys.readouterr().out
    assert "test accuracy chooses" not in told
    (there / "outputs" / "arms.json").unlink()
    verify([str(there / "outputs")])
    assert "sgd with several settings and no validation images" in capsys.readouterr().out


def test_the_trials_of_the_first_sweeps_values_are_as_many_as_its_page_says():
    page = DOCS / "first-sweep.md"
    tried = [compose_grid(words) for module, words in commands(page) if "experiment=tune" in words]
    counts = Counter(cell.config["optimizer"]["name"] for grid in tried for cell in grid.cells)
    assert counts == {"sgd": 14, "adam": 14, "adamw": 14, "lion": 14, "muon": 15}
    assert {cell.config["seed"] for grid in tried for cell in grid.cells} == {1}
    assert all(grid.widening is None for grid in tried)


def test_the_tutorials_directories_are_those_of_its_commands():
    page = DOCS / "tutorial.md"
    grids = [
        compose_grid(arguments)
        for module, arguments in commands(page)
        if module == "train" and not set(arguments) & {*REFUSED, "--config-dir"}  # the latter is made on the page
    ]
    names = {cell.directory.name for grid in grids for cell in grid.cells}
    shown = set(re.findall(r"\w+-seed\d-[0-9a-f]{8}", page.read_text()))
    assert shown <= names and len(shown) == 3


LONGEST = 130  # characters of a line, which editors and diffs show whole
GENERATED = re.compile(r"<!-- (\w+) -->\n.*?<!-- /\1 -->|^```.*?^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.stem)
def test_prose_is_wrapped(page):
    """But tables, code, pictures and what is made by a command."""
    prose = GENERATED.sub("", page.read_text(encoding="utf-8")).splitlines()
    assert [line for line in prose if len(line) > LONGEST and not line.startswith(("|", "    ", "!["))] == []
