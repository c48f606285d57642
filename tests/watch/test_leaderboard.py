"""One row per optimizer and task, the best first; nothing is averaged that isn't of one setting."""

import io

import pytest
from rich.console import Console

from sweeper.runs.status import Status
from sweeper.watch.leaderboard import group_runs, leaderboard
from sweeper.watch.overview import Sighting


def run(
    name: str,
    status: str = "completed",
    accuracy: float | None = None,
    epochs: int = 10,
    rate=None,
    val=None,
    **settings,
) -> Sighting:
    """Its record's settings, as far as they are given; none before it has begun."""
    seen = Sighting(f"{name}-0123abcd", Status(status), test_accuracy=accuracy, epochs=epochs, val_accuracy=val)
    seen.settings |= {"noise_rate": rate, **settings}
    return seen


def shown(runs, width=80) -> list[list[str]]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(leaderboard(group_runs(runs), width))
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


def test_of_several_settings_the_best_by_validation_is_shown_and_says_so():
    """Test accuracy chooses nothing: the setting with 90 % on test images is the worst here."""
    tuned = [run("d-m/sgd-seed1", accuracy=test, val=val) for test, val in ((0.5, 0.8), (0.9, 0.6), (0.7, 0.7))]
    assert shown(tuned) == [["sgd", "●●●", "best", "80.00", "%", "val"]]
    other = [run("d-m/lion-seed1", accuracy=0.1, val=0.9), run("d-m/lion-seed2", accuracy=0.1, val=0.8)]
    assert shown([*tuned, *other])[0] == ["lion", "●●", "85.00", "%", "val"]
    assert shown([run("d-m/sgd-seed1", accuracy=accuracy) for accuracy in (0.5, 0.9)]) == [
        ["sgd", "●●", "2", "settings,", "no", "validation", "images"]
    ]
    assert shown([run("d-m/sgd-seed1", "running"), run("d-m/sgd-seed1", "waiting")]) == [["sgd", "◐○"]]


def test_a_narrow_terminal_has_marks_rather_than_why_there_is_no_accuracy():
    assert shown([run("d-m/sgd-seed1", accuracy=accuracy) for accuracy in (0.5, 0.9)], width=50) == [["sgd", "●●"]]


def test_tasks_are_never_ranked_among_each_other():
    noisy, clean = {"noise": "symmetric"}, {"noise": "none"}
    runs = [
        run(f"d-m/{o}-symmetric-seed1", accuracy=a, optimizer=o, **noisy) for o, a in (("sgd", 0.9), ("lion", 0.95))
    ]
    runs += [run(f"d-m/{o}-seed1", accuracy=a, optimizer=o, **clean) for o, a in (("sgd", 0.8), ("lion", 0.7))]
    assert [" ".join(row[:-2]) for row in shown(runs)] == ["sgd ●", "lion ●", "lion, symmetric ●", "sgd, symmetric ●"]
    waiting = run("d-m/sgd-symmetric-seed2", "waiting")
    assert [row[2] for row in shown([*runs, waiting]) if row[0] == "sgd,"] == ["●○"]
    runs = [run("d-m/sgd-seed1", accuracy=0.8), run("d-m/sgd-seed1", accuracy=0.9, epochs=20)]
    assert [" ".join(row[:4]) for row in shown(runs)] == ["d-m 10 epochs sgd", "d-m 20 epochs sgd"]
    rates = [run(f"d-m/sgd-symmetric-seed{s}", accuracy=0.8, rate=s / 10, optimizer="sgd", **noisy) for s in (1, 2)]
    assert shown(rates) == [["sgd,", "symmetric", "●●", "several", "noise", "rates"]]


def test_an_arm_under_several_noises_is_a_row_of_each():
    runs = [
        run(f"d-m/sgd{f'-{noise}' * (rate > 0)}-seed{seed}", accuracy=0.9 - rate + lr, rate=rate, noise=noise)
        for noise, rate in (("none", 0.0), ("symmetric", 0.4))
        for lr in (0.0, 0.05)
        for seed in (1, 2)
    ]
    for seen, arm in zip(runs, ["plain", "plain", "lr-high", "lr-high"] * 2, strict=True):
        seen.settings |= {"arm": arm, "optimizer": "sgd"}
    assert [" ".join(row) for row in shown(runs)] == [
        "lr-high ●● 95.00 %",
        "plain ●● 90.00 %",
        "lr-high, symmetric ●● 55.00 %",
        "plain, symmetric ●● 50.00 %",
    ]


def test_names_with_hyphens_are_no_noise():
    runs = [run("d-m/my-sgd-seed1", accuracy=0.9, optimizer="my-sgd", noise="none")]
    runs += [run("d-m/my-sgd-seed2", "waiting"), run("d-m/my-lion-seed1", "waiting")]
    assert shown(runs) == [["my-sgd", "●○", "90.00", "%"], ["my-lion", "○"]]
    assert [(row.label, row.noise) for row in group_runs(runs)] == [("my-sgd", ""), ("my-lion", "")]


@pytest.mark.parametrize(("count", "words"), [(12, "●" * 12), (13, "13 of 13")])
def test_many_runs_are_counted(count, words):
    runs = [run(f"d-m/sgd-seed{seed}", accuracy=0.5) for seed in range(count)]
    assert " ".join(shown(runs)[0]) == f"sgd {words} 50.00 %"


def test_what_has_another_name_is_in_no_row():
    assert group_runs([run("a copy"), Sighting("x", Status.DAMAGED)]) == []


def test_tasks_of_several_lengths_stand_in_the_order_of_their_epochs():
    runs = [run("d-m/sgd-seed1", accuracy=0.9, epochs=epochs) for epochs in (10, 2, 1)]
    assert [row[:4] for row in shown(runs)] == [
        ["d-m", "1", "epoch", "sgd"],
        ["d-m", "2", "epochs", "sgd"],
        ["d-m", "10", "epochs", "sgd"],
    ]
