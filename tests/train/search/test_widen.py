"""A tuning's grid is extended by the records of its runs alone, each optimizer's by itself."""

import math
from unittest.mock import Mock

import pytest

from sweeper.config.grid import compose_grid
from sweeper.runs.status import Status
from sweeper.train import sweep
from sweeper.train.search import widen as module
from sweeper.train.search.widen import widen

FACTORS = [0.01, 0.03162, 0.1, 0.3162, 1.0, 3.162, 10.0, 31.62, 100.0]
FIRST = [(lr, decay) for lr in FACTORS[3:6] for decay in FACTORS[3:6]]
WORDS = ("-m", "experiment=tune", "dataset=digits", "optimizer=sgd", "hydra.sweeper.extensions=3")


@pytest.fixture(scope="module")
def grid():
    return compose_grid(list(WORDS))


@pytest.fixture
def trained(monkeypatch, grid):
    """`trained(best, seeds)`: every run of these seeds is finished; the nearer to `best` the better. A value that is no
    number is a status."""
    records = {}

    def make(best, seeds=(101,), **others):
        for seed in seeds:
            axes = {"lr_factor": FACTORS, "decay_factor": FACTORS}
            for place, ((cell, _),) in grid.widening.cells("sgd", axes, [seed]).items():
                far = sum(abs(math.log10(a / b)) for a, b in zip(place, best, strict=True))
                status = others.get("ended", {}).get(place, Status.COMPLETED)
                result = {"final_val_accuracy": 0.9 - far / 100} if status is Status.COMPLETED else None
                if place in others.get("only", [place]):
                    records[cell.directory] = {"status": status, "result": result}
        monkeypatch.setattr(module, "find_finished", records.get)

    return make


def test_a_grid_whose_best_cell_is_inside_stays(grid, trained):
    trained((1.0, 1.0))
    assert widen(grid)[0].cells == grid.cells and widen(grid)[1] == []


def test_it_grows_until_the_best_is_inside_and_asked_again_it_is_the_same(grid, trained):
    trained((10.0, 1.0), only=FIRST)
    lines = [widen(grid)[1]]
    trained((10.0, 1.0), only=[*FIRST, *((10.0, decay) for decay in FACTORS)])
    lines.append(widen(grid)[1])
    trained((10.0, 1.0))
    wider, said = widen(grid)
    new = wider.cells[9:]
    assert [cell.config["optimizer"]["lr"] for cell in new] == [1.0] * 3 + [3.162] * 3
    assert [cell.number for cell in new] == list(range(9, 15)) and len(wider.jobs) == 15
    assert all("lr_factor" in " ".join(job) for job in wider.jobs[9:])
    assert lines == [
        ["sgd: best on the edge, lr ×3.162, decay ×1; extended by lr ×10"],
        ["sgd: best on the edge, lr ×10, decay ×1; extended by lr ×31.62"],
    ]
    assert said == [], "an extension that is trained is told no more"
    assert widen(wider)[0].cells == wider.cells


def test_unfinished_runs_are_waited_for(grid, trained):
    trained((10.0, 1.0), only=[(lr, decay) for lr in FACTORS[3:6] for decay in FACTORS[3:5]])
    assert widen(grid)[0].cells == grid.cells


def test_a_limit_is_said(grid, trained):
    trained((100.0, 1.0))
    wider, said = widen(grid)
    assert len(wider.cells) == 9 + 3 * 3
    assert said == [
        "sgd: after 3 extensions still best on the edge, lr ×100, decay ×1; hydra.sweeper.extensions=6 goes on"
    ]


def test_diverged_cells_are_the_worst_and_where_all_are_nothing_is_extended(grid, trained):
    high = {(lr, decay): Status.DIVERGED for lr in FACTORS[6:] for decay in FACTORS}
    trained((100.0, 1.0), ended=high)
    assert len(widen(grid)[0].cells) == 12  # beyond the edge all diverged, so it is inside
    trained((1.0, 1.0), ended={(lr, decay): Status.DIVERGED for lr in FACTORS for decay in FACTORS})
    wider, said = widen(grid)
    assert wider.cells == grid.cells and said[0].startswith("sgd: every cell diverged, so its grid isn't extended")


def test_the_best_of_those_that_were_run_again_lies_inside_too(grid, trained, monkeypatch):
    trained((1.0, 1.0), only=FIRST)
    trained((1.0, 3.162), seeds=(102, 103), only=[(1.0, 1.0), (1.0, 3.162)])
    assert widen(grid)[0].cells == grid.cells  # runs with these seeds that are no confirmation
    again = grid.widening.cells("sgd", grid.widening.axes["sgd"], [102, 103])
    begun = {cell.directory for place in ((1.0, 1.0), (1.0, 3.162)) for cell, _ in again[place]}
    monkeypatch.setattr(module.ConfirmationsByFolder, "have", lambda self, directory: directory in begun)
    wider, said = widen(grid)
    assert len(wider.cells) == 12 and said == ["sgd: best on the edge, lr ×1, decay ×3.162; extended by decay ×10"]
    begun |= {cell.directory for cell, _ in again[3.162, 1.0]}
    assert widen(grid)[0].cells == grid.cells  # a third is still to be run again, and may be the best


def test_an_optimizer_without_decay_is_told_and_a_grid_of_no_tuning_stays():
    grid = compose_grid([*WORDS, "optimizer.weight_decay=0", "outputs=nowhere"])
    assert widen(grid)[1] == ["sgd: has no weight decay, so one axis, lr"]
    plain = compose_grid(["-m", "dataset=digits", "optimizer=sgd,adam"])
    assert widen(plain) == (plain, [])


@pytest.mark.parametrize(
    ("ended", "extended"),
    [(Status.FAILED, {"sgd"}), (Status.INTERRUPTED, set()), (None, set()), (Status.DIVERGED, {"sgd", "lion"})],
)
def test_a_failed_run_stops_the_extension_of_its_optimizer_alone(tmp_path, monkeypatch, ended, extended):
    """In a sweep; one that was stopped extends nothing. Both optimizers are best at the highest lr."""
    grid = compose_grid(["-m", "experiment=tune", "dataset=digits", "optimizer=sgd,lion", f"outputs={tmp_path}"])
    lost = next(cell.directory for cell in grid.cells if cell.config["optimizer"]["name"] == "lion")
    results = {}
    for cell in grid.cells:
        name, rate = cell.config["optimizer"]["name"], cell.config["optimizer"]["lr"]
        results[cell.directory] = {"final_val_accuracy": min(0.9, rate * (1 if name == "sgd" else 300))}

    def find_finished(directory):
        status = ended if directory == lost else Status.COMPLETED
        there = directory in results and status is not None and status.finished
        return {"status": status, "result": results[directory]} if there else None

    for place in (module, sweep):
        monkeypatch.setattr(place, "find_finished", find_finished)
    monkeypatch.setattr(sweep, "_status", lambda cell: ended if cell.directory == lost else Status.COMPLETED)
    stop, signals = Mock(requested=lambda: False, reason=lambda: None), Mock(received=None)
    _, new = sweep._wider(grid, grid.cells, signals, stop, [])
    assert {cell.config["optimizer"]["name"] for cell in new} == extended
    stop.requested = lambda: True
    assert sweep._wider(grid, grid.cells, signals, stop, [])[1] == []
