"""The table fits the terminal, whatever there is to show."""

import io
import time

import pytest
from rich.console import Console

from sweeper.runs.status import Status
from sweeper.watch.overview import Overview, Sighting
from sweeper.watch.table import watch_table

MACHINE = {"cpu_load": 0.5, "memory_used_bytes": 2**33, "memory_total_bytes": 2**34, "gpus": []}
GPU = {"name": "Some GPU", "load": 0.97, "memory_used_bytes": 2**30, "memory_total_bytes": 2**33}


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """Near midnight the time left names the day."""
    monkeypatch.setattr(time, "time", lambda: time.mktime((2026, 11, 27, 12, 0, 0, 0, 0, -1)))


def shown(runs, width=80, height=24, machine=MACHINE, **more) -> list[str]:
    figures = {"sweeping": False, "epochs_done": 5, "epochs": 20, "seconds_elapsed": None, "seconds_left": None}
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, color_system=None)
    console.print(watch_table(Overview(runs, **(figures | more)), machine, width, height))
    return file.getvalue().splitlines()


def sighting(k: int = 1, status: str = "running", **more) -> Sighting:
    return Sighting(f"digits-cnn/adamw-seed{k}-0123abcd", Status(status), epoch=3, epochs=50, **more)


def test_where_images_are_held_out_their_accuracy_is_shown():
    lines = shown([sighting(test_accuracy=0.9412, val_accuracy=0.9), sighting(2, "waiting")])
    (head,) = [line.split() for line in lines if line.startswith("run ")]
    assert head == ["run", "status", "epoch", "val", "images/s", "left"]
    assert not any("94.12" in line for line in lines) and any("3/50  90.00 %" in line for line in lines)


def test_a_run_with_all_that_is_known_of_it():
    lines = shown([sighting(test_accuracy=0.9412, images_per_second=61234.5, seconds_left=4320)])
    assert lines[0].split() == ["run", "status", "epoch", "test", "images/s", "left"]
    assert lines[1].split() == [
        "digits-cnn/adamw-seed1-0123abcd",
        "running",
        "3/50",
        "94.12",
        "%",
        "61,234",
        "1",
        "h",
        "12",
        "min",
    ]
    assert lines[2].startswith("1 run ━") and "25 %  1 running" in lines[2]
    assert lines[3] == "this machine: load 50 %, memory 8.0 of 16.0 GiB"


def test_arms_are_a_column_of_their_own():
    run = sighting()
    run.settings["arm"] = "mine"
    lines = shown([run, sighting(2)], width=100)
    assert [line.split()[0] for line in lines[:2]] == ["adamw", "mine"]  # the leaderboard
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["arm", "run"])
    assert lines[head + 1].split()[:2] == ["mine", "digits-cnn/adamw-seed1-0123abcd"]
    assert lines[head + 2].split()[0] == "digits-cnn/adamw-seed2-0123abcd"


def test_the_sweep_says_when_it_ends():
    run = sighting(in_sweep=True)
    line = shown([run], width=120, sweeping=True, seconds_elapsed=60.0, seconds_left=180.0)[2]
    assert line.partition("%  ")[2].startswith("3 min left, at ") and line.rstrip().endswith("1 running; 1 min so far")


def test_an_end_after_midnight_names_its_day():
    run = sighting(in_sweep=True)
    ends = {9000.0: "at 14:30", 50_400.0: "on Sat 02:00", 10 * 86_400.0: "on 07 Dec 12:00"}
    for seconds, said in ends.items():
        lines = shown([run], width=120, sweeping=True, seconds_elapsed=60.0, seconds_left=seconds)
        assert any(f" left, {said}" in line for line in lines), lines


def test_other_runs_that_train_stand_beside_a_sweeps_and_are_not_counted():
    runs = [sighting(1, in_sweep=True), sighting(2), sighting(3, "completed")]
    lines = shown(runs, sweeping=True)
    assert ["seed1" in text or "seed2" in text for text in lines[1:3]] == [True, True]
    assert not any("seed3" in line for line in lines) and lines[3].startswith("1 run ━")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 12), (40, 12), (60, 8), (50, 9)])
def test_each_optimizer_is_a_row_and_the_time_left_is_never_cut(width, height):
    runs = [
        Sighting(
            f"digits-cnn/{optimizer}-seed{seed}-0123abcd",
            Status("completed" if seed < 3 else "running"),
            test_accuracy=0.9 + place / 100,
            epochs=50,
            seconds_left=None if seed < 3 else 4320.0,
            in_sweep=True,
        )
        for place, optimizer in enumerate(("sgd", "schedule_free_adamw", "lion"))
        for seed in (1, 2, 3)
    ]
    runs.sort(key=lambda run: run.status is not Status.RUNNING)
    lines = shown(runs, width, height, sweeping=True, seconds_elapsed=60.0, seconds_left=9000.0)
    assert len(lines) < height and all(len(line) <= width for line in lines)
    assert [line.split() for line in lines[:3]] == [
        ["lion", "●●◐", "92.00", "%"],
        ["schedule_free_adamw" if width >= 50 else "schedule_free…", "●●◐", "91.00", "%"],
        ["sgd", "●●◐", "90.00", "%"],
    ]
    assert any(line.startswith("9 runs ") and "2 h 30 min left, at " in line for line in lines)
    if height >= 12:
        assert any("digits-cn" in line and line.rstrip().endswith("1 h 12 min") for line in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 50), (20, 5)])
def test_many_runs_fit_and_the_rest_is_counted(width, height):
    statuses = ["running"] * 4 + ["waiting"] * 900 + ["failed"] * 4 + ["completed"] * 92
    lines = shown([sighting(k, status, error="e" * 500) for k, status in enumerate(statuses)], width, height)
    assert len(lines) <= max(height, 10) and all(len(line) <= width for line in lines)
    rest = next(line for line in lines if line.startswith("and "))
    if width >= 80:
        assert rest.endswith("92 more completed") and "waiting" in rest
        assert sum(" running " in line for line in lines[:6]) == 4


def test_failures_are_told_with_their_reasons():
    lines = shown([sighting(1, "failed", error="out of memory"), sighting(2, "damaged", error="not whole JSON")])
    assert "failed digits-cnn/adamw-seed1-0123abcd: out of memory" in lines
    assert "damaged digits-cnn/adamw-seed2-0123abcd: not whole JSON" in lines


def test_names_are_texts():
    lines = shown([Sighting("[red]a[/]\x1b[2J\n/b", Status.FAILED, error="[bold]\x1b]0;x\x07")])
    assert lines[1].startswith("[red]a[/] [2J /b") and not any("\x1b" in line for line in lines)
    assert "failed [red]a[/] [2J /b: [bold] ]0;x " in [*lines, *(line + " " for line in lines)]


def test_gpus_have_a_line_each_and_without_the_library_a_hint():
    lines = shown([sighting()], machine=MACHINE | {"gpus": [GPU, GPU | {"load": None, "memory_used_bytes": None}]})
    assert lines[-2:] == ["GPU 0 Some GPU: load 97 %, memory 1.0 of 8.0 GiB", "GPU 1 Some GPU: load –, memory –"]
    run = sighting()
    run.settings["device"] = "cuda"
    assert shown([run])[-1].startswith("pip install 'optimizer-sweeper[nvidia]'")


def test_no_runs_yet():
    assert "no runs yet" in shown([], epochs=0, epochs_done=0)[1]


def test_the_bar_has_the_epochs_under_way():
    lines = shown([sighting(in_sweep=True)], epochs_done=5, under_way=2.5, epochs=20, sweeping=True)
    assert any(line.startswith("1 run ") and "38 %" in line for line in lines)


def test_a_run_is_named_by_what_varies_where_that_is_known():
    lines = shown([sighting(label="lr 0.1, seed 1"), sighting(2)])
    assert [line.split("  ")[0] for line in lines if "running" in line and "/50" in line] == [
        "lr 0.1, seed 1",
        "digits-cnn/adamw-seed2-0123abcd",
    ]


def named(*runs) -> list[str]:
    return [line.split("  ")[0] for line in shown(runs, width=100) if "running" in line and "/50" in line]


def test_runs_of_several_sweeps_at_once_are_told_apart():
    """Of other data by the folder; of another length, say, by their directories."""
    other = Sighting("mnist1d-cnn1d/adamw-seed1-4567cdef", Status.RUNNING, epoch=3, epochs=50)
    other.label, other.sweep = "adamw, seed 1", "second"
    own = sighting(label="adamw, seed 1", sweep="first")
    assert named(own, other) == ["digits-cnn adamw, seed 1", "mnist1d-cnn1d adamw, seed 1"]
    longer = Sighting("digits-cnn/adamw-seed1-89ab0123", Status.RUNNING, epoch=3, epochs=50)
    longer.label, longer.sweep = "adamw, seed 1", "second"
    second = sighting(2, label="adamw, seed 2", sweep="first")
    assert named(own, second, longer) == [own.run, "adamw, seed 2", longer.run]


def test_of_one_sweep_what_varies_says_the_folder_already():
    runs = [sighting(label="cnn, seed 1", sweep="first"), sighting(2, label="mlp, seed 1", sweep="first")]
    runs[1].run = "digits-mlp/adamw-seed1-0123abcd"
    assert named(*runs) == ["cnn, seed 1", "mlp, seed 1"]


def test_arms_with_the_same_seeds_are_told_apart_by_their_column():
    runs = [sighting(label="seed 1", sweep="first"), sighting(2, label="seed 1", sweep="first")]
    for run, arm in zip(runs, ("usual", "slow"), strict=True):
        run.settings["arm"] = arm
    assert [line.split() for line in named(*runs)] == [["usual"], ["slow"]]
    runs[1].settings["arm"] = "usual"
    assert all(run.run in "\n".join(shown(runs, width=100)) for run in runs)


@pytest.mark.parametrize("height", [24, 12, 7])
def test_what_was_trained_again_is_told_whole_where_it_fits(height):
    said = "1 repeat has another result: of each run the one with the earlier start counts"
    lines = shown([sighting(k) for k in range(30)], width=60, height=height, repeats=said)
    assert len(lines) <= height and (said in " ".join(lines)) == (height > 7)
