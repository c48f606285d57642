"""A row an optimizer and task, the best first; nothing is averaged that isn't of one setting."""

import io

import pytest
from rich.console import Console

from sweeper.runs.status import Status
from sweeper.watch.leaderboard import group_runs, leaderboard
from sweeper.watch.overview import Sighting


def run(name: str, status: str = "completed", accuracy: float | None = None, epochs: int = 10, rate=None) -> Sighting:
    seen = Sighting(f"{name}-0123abcd", Status(status), test_accuracy=accuracy, epochs=epochs)
    seen.settings["noise_rate"] = rate
    return seen


def shown(runs) -> list[list[str]]:
    file = io.StringIO()
    Console(file=file, width=80, color_system=None).print(leaderboard(group_runs(runs), 80))
    return [line.split() for line in file.getvalue().splitlines()]


def test_finished_seeds_are_averaged_and_the_marks_are_in_the_order_of_seeds():
    runs = [
        run("d-m/sgd-seed10", "waiting"),
        run("d-m/sgd-seed2", "running", 0.5),
        run("d-m/sgd-seed1", accuracy=0.994),
    ]
    lion = [run("d-m/lion-seed1", "failed"), run("d-m/lion-seed2", "diverged"), run("d-m/lion-seed3", "interrupted")]
    assert shown([*lion, *runs]) == [["sgd", "●◐○", "99.40", "%"], ["lion", "✗✗◐"]]


def test_before_the_first_has_finished_the_running_ones_count():
    assert shown([run("d-m/sgd-seed1", "running", 0.5), run("d-m/sgd-seed2", "waiting")]) == [
        ["sgd", "◐○", "50.00", "%"]
    ]


def test_of_several_settings_the_best_is_shown_and_says_so():
    tuned = [run("d-m/sgd-seed1", accuracy=accuracy) for accuracy in (0.5, 0.9, 0.7)]
    assert shown(tuned) == [["sgd", "●●●", "best", "90.00", "%"]]


def test_tasks_are_never_ranked_among_each_other():
    runs = [run("d-m/sgd-symmetric-seed1", accuracy=0.9), run("d-m/sgd-seed1", accuracy=0.8)]
    runs += [run("d-m/lion-symmetric-seed1", accuracy=0.95), run("d-m/lion-seed1", accuracy=0.7)]
    assert [row[0] for row in shown(runs)] == ["sgd", "lion", "lion-symmetric", "sgd-symmetric"]
    runs = [run("d-m/sgd-seed1", accuracy=0.8), run("d-m/sgd-seed1", accuracy=0.9, epochs=20)]
    assert [row[:3] for row in shown(runs)] == [["d-m", "10", "sgd"], ["d-m", "20", "sgd"]]
    rates = [run("d-m/sgd-symmetric-seed1", accuracy=accuracy, rate=1 - accuracy) for accuracy in (0.8, 0.9)]
    assert shown(rates) == [["sgd-symmetric", "●●"]]


@pytest.mark.parametrize(("count", "words"), [(12, "●" * 12), (13, "13 of 13")])
def test_many_runs_are_counted(count, words):
    runs = [run(f"d-m/sgd-seed{seed}", accuracy=0.5) for seed in range(count)]
    assert " ".join(shown(runs)[0]) == f"sgd {words} 50.00 %"


def test_what_has_another_name_is_in_no_row():
    assert group_runs([run("a copy"), Sighting("x", Status.DAMAGED)]) == []
