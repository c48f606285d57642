"""How far runs are is told by their directories alone."""

from dataclasses import replace

import pytest
from made_runs import make_config, make_rows

from sweeper.config.resolved import Cell
from sweeper.plan.standing import Standing, standing
from sweeper.runs.directory import RunDirectory


@pytest.fixture
def cell(tmp_path):
    return Cell(make_config(epochs=10, checkpoint_every=None, resumable=True), tmp_path / "run", 0)


def leave(cell, status, epochs):
    run = RunDirectory(cell.directory)
    run.write_run(status, cell.config, {}, {} if status == "completed" else None)
    run.write_metrics(make_rows([0.9] * epochs))
    if status != "completed":
        (cell.directory / "checkpoint.pt").touch()


def test_a_run_that_never_began_needs_all_its_epochs(cell):
    assert standing(cell) == Standing(cell, "to do", 10)


def test_a_finished_run_needs_none_unless_it_is_to_be_trained_again(cell):
    leave(cell, "completed", 10)
    assert standing(cell) == Standing(cell, "done", 0)
    again = replace(cell, config=cell.config | {"rerun": True})
    assert standing(again) == Standing(again, "to do", 10)


@pytest.mark.parametrize(("status", "every", "left"), [("interrupted", 5, 3), ("running", None, 3), ("running", 5, 5)])
def test_a_killed_run_has_lost_what_came_after_its_last_checkpoint(cell, status, every, left):
    leave(cell, status, 7)
    cell = replace(cell, config=cell.config | {"checkpoint_every": every})
    assert standing(cell) == Standing(cell, "half-done", left)


def test_without_a_checkpoint_a_run_begins_anew(cell):
    leave(cell, "running", 7)
    (cell.directory / "checkpoint.pt").unlink()
    assert standing(cell) == Standing(cell, "to do", 10)


def test_a_run_that_is_not_resumable_begins_anew(cell):
    leave(cell, "interrupted", 7)
    cell = replace(cell, config=cell.config | {"resumable": False})
    assert standing(cell) == Standing(cell, "to do", 10)
