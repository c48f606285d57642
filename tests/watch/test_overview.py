"""What the run directories tell of a sweep at this moment, whatever lies in them."""

import json
import os
import random
import time

import pytest
from made_folder import make_trial
from made_runs import make_config, make_rows, make_run

from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.runs.sweep_files import sweep_file, write_sweep
from sweeper.runs.under_way import UnderWay
from sweeper.system.errors import BadInput
from sweeper.system.lock import Lock
from sweeper.watch.leaderboard import group_runs
from sweeper.watch.overview import Watcher


def look(*folders):
    return Watcher([str(folder) for folder in folders]).look()


def by_run(overview) -> dict:
    return {run.run: run for run in overview.runs}


def set_age(path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def begin_run(outputs, accuracies, epochs=10, age=100.0, since=0.0, **config):
    """A run that trains, begun `age` seconds ago, its latest epoch ended `since` seconds ago; to be locked."""
    directory = make_run(outputs, "running", epochs=epochs, **config)
    RunDirectory(directory).write_metrics(make_rows(accuracies))
    set_age(directory / "run.json", age)
    set_age(directory / "metrics.csv", since)
    return directory


def test_every_status_in_the_order_of_what_needs_a_look(tmp_path):
    for seed, status in enumerate(("completed", "diverged", "failed", "interrupted"), 1):
        make_run(tmp_path, status, seed=seed, error="why" if status == "failed" else None)
    (make_run(tmp_path, seed=9) / "run.json").write_text("{")
    directory = begin_run(tmp_path, [0.25, 0.5], seed=5)
    with Lock(directory / "run.lock"):
        overview = look(tmp_path)
    assert [run.status for run in overview.runs] == [
        "running",
        "failed",
        "damaged",
        "interrupted",
        "diverged",
        "completed",
    ]
    running, failed = overview.runs[:2]
    assert (running.epoch, running.epochs, running.test_accuracy, running.images_per_second) == (2, 10, 0.5, 2000.0)
    assert (failed.error, failed.settings["optimizer"], failed.settings["seed"]) == ("why", "sgd", 3)
    assert overview.counts() == dict.fromkeys([run.status for run in overview.runs], 1)
    assert not overview.sweeping


def test_where_images_are_held_out_a_run_has_their_accuracy(tmp_path):
    make_trial(tmp_path, 0.1, 0.8)
    directory = begin_run(tmp_path, [0.25], seed=5)
    RunDirectory(directory).write_metrics([row | {"val_accuracy": 0.3} for row in make_rows([0.25])])
    make_run(tmp_path, seed=6)
    with Lock(directory / "run.lock"):
        seen = {run.settings["seed"]: (run.test_accuracy, run.val_accuracy) for run in look(tmp_path).runs}
    assert seen == {101: (0.8, 0.79), 5: (0.25, 0.3), 6: (0.9, None)}


def test_time_left_by_what_an_epoch_took_with_its_evaluation(tmp_path):
    directory = begin_run(tmp_path, [0.1] * 4, epochs=10, age=43.0, since=3.0)
    with Lock(directory / "run.lock"):
        (run,) = look(tmp_path).runs
    assert run.seconds_left == pytest.approx(10.0 * 6 - 3, abs=1)


def test_time_left_of_a_resumed_run_is_at_least_that_of_training(tmp_path):
    directory = begin_run(tmp_path, [0.1] * 4, epochs=10, age=0.4, since=0.0)  # 4 epochs in 0.4 s: most were earlier
    with Lock(directory / "run.lock"):
        (run,) = look(tmp_path).runs
    assert run.seconds_left == pytest.approx(0.5 * 6, abs=0.6)


def test_a_run_that_has_just_begun_has_no_time_left_to_tell(tmp_path):
    directory = begin_run(tmp_path, [])
    with Lock(directory / "run.lock"):
        overview = look(tmp_path)
    assert (overview.runs[0].seconds_left, overview.seconds_left, overview.runs[0].epoch) == (None, None, 0)


def test_a_sweep_has_the_runs_that_have_not_begun_and_an_end(tmp_path):
    earlier = make_run(tmp_path, seed=1)
    failed = make_run(tmp_path, "failed", seed=2, error="an earlier command's")
    running = RunDirectory(tmp_path / run_name(make_config(seed=3, epochs=10))).path
    coming = tmp_path / "digits-cnn" / "sgd-seed4-00000000"
    other = make_run(tmp_path, seed=7)
    set_age(failed / "run.json", 500)
    set_age(earlier / "run.json", 500)
    write_sweep(tmp_path, "abc", [(earlier, 3, False), (failed, 3, False), (running, 10, False), (coming, 10, False)])
    set_age(sweep_file(tmp_path, "abc"), 50)
    begin_run(tmp_path, [0.1] * 5, epochs=10, age=49, since=0, seed=3)
    with Lock(running / "run.lock"):
        overview = look(tmp_path)
    seen = by_run(overview)
    assert overview.sweeping and overview.counts() == {"running": 1, "waiting": 2, "completed": 1}
    assert not seen[f"digits-cnn/{other.name}"].in_sweep
    assert (seen["digits-cnn/sgd-seed4-00000000"].status, seen[f"digits-cnn/{failed.name}"].status) == (
        "waiting",
        "waiting",
    )
    assert (overview.epochs_done, overview.epochs) == (3 + 3 + 5, 26)
    assert overview.seconds_elapsed == pytest.approx(50, abs=2)
    assert overview.seconds_left == pytest.approx(50 * (0 + 5 + 10) / 5, abs=8)  # `failed` had done its 3 epochs


def tell(directory, epochs, pace, age=0.0):
    """What a run writes into its lock while it trains."""
    lock = directory / "run.lock"
    work = UnderWay(epochs, pace).to_json()
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"work": work, "unchanged": 0.0}))
    set_age(lock, age)


def test_a_sweep_moves_within_its_first_epoch(tmp_path):
    """And its time left, by the steps' own speed, is there; it doesn't grow while none are done."""
    begun, coming = (tmp_path / run_name(make_config(seed=seed, epochs=2)) for seed in (1, 2))
    write_sweep(tmp_path, "abc", [(begun, 2, False), (coming, 2, False)])
    set_age(sweep_file(tmp_path, "abc"), 30)
    begin_run(tmp_path, [], epochs=2, age=25, seed=1)
    with Lock(begun / "run.lock"):
        assert (look(tmp_path).seconds_left, look(tmp_path).share) == (None, 0)
        tell(begun, 0.25, pace=40.0)
        first = look(tmp_path)
        tell(begun, 0.25, pace=40.0, age=10.0)
        later = look(tmp_path)
    assert (first.epochs_done, first.epochs, first.share) == (0, 4, 0.0625)
    assert by_run(first)[f"digits-cnn/{begun.name}"].seconds_left == pytest.approx(40 * 1.75, abs=1)
    assert first.seconds_left == pytest.approx(40 * 3.75, abs=1)
    assert later.seconds_left == pytest.approx(40 * 3.75 - 10, abs=1)


def test_runs_beside_one_another_share_what_is_left(tmp_path):
    runs = [tmp_path / run_name(make_config(seed=seed, epochs=2)) for seed in (1, 2, 3, 4)]
    write_sweep(tmp_path, "abc", [(run, 2, False) for run in runs])
    for seed in (1, 2):
        begin_run(tmp_path, [], epochs=2, age=5, seed=seed)
    with Lock(runs[0] / "run.lock"), Lock(runs[1] / "run.lock"):
        tell(runs[0], 0.5, pace=20.0)
        tell(runs[1], 0.5, pace=20.0)
        assert look(tmp_path).seconds_left == pytest.approx(20 * 7 / 2, abs=1)


def test_after_an_epochs_end_the_time_left_does_not_grow_while_nothing_is_done(tmp_path):
    done, begun = make_run(tmp_path, seed=1, epochs=3), tmp_path / run_name(make_config(seed=2, epochs=3))
    write_sweep(tmp_path, "abc", [(done, 3, True), (begun, 3, False)])
    left = []
    for passed in (0, 5, 10, 15, 60):  # seconds since the first run ended; it took 30
        set_age(sweep_file(tmp_path, "abc"), 30 + passed)
        set_age(done / "run.json", passed)
        left.append(look(tmp_path).seconds_left)
    assert left == [pytest.approx(expected, abs=1) for expected in (30, 25, 20, 20, 20)]
    set_age(sweep_file(tmp_path, "abc"), 37)
    set_age(done / "run.json", 7)
    begin_run(tmp_path, [], epochs=3, age=6, seed=2)
    with Lock(begun / "run.lock"):
        tell(begun, 0.5, pace=10.0, age=2.0)
        overview = look(tmp_path)
    assert overview.share == 3.5 / 6 and overview.seconds_left == pytest.approx(35 / 3.5 * 2.5 - 2, abs=1)


def test_a_part_of_an_epoch_that_its_row_has_overtaken_counts_once(tmp_path):
    run = begin_run(tmp_path, [0.5], epochs=2)
    with Lock(run / "run.lock"):
        for told, share in ((0.9, 0.5), (1.0, 0.5), (1.5, 0.75), (7.0, 1.0)):
            tell(run, told, pace=5.0)
            assert look(tmp_path).share == share
        RunDirectory(run).write_metrics(make_rows([0.5] * 3))  # more than the record asks for
        tell(run, 0.25, pace=5.0)
        assert (look(tmp_path).runs[0].part, look(tmp_path).share) == (0.0, 1.0)


def test_a_run_that_has_no_record_yet_has_the_sweeps_epochs_and_row(tmp_path):
    begun, coming = (tmp_path / run_name(make_config(seed=seed, epochs=10)) for seed in (1, 2))
    write_sweep(tmp_path, "abc", [(begun, 10, False), (coming, 10, False)])
    begun.mkdir(parents=True)
    with Lock(begun / "run.lock"):
        overview = look(tmp_path)
    assert overview.counts() == {"running": 1, "waiting": 1}
    (row,) = group_runs(overview.runs)
    assert row.task == "digits-cnn 10 epochs" and sorted(row.seeds) == ["1", "2"]


def test_a_run_of_an_arm_has_its_name_also_while_it_waits_and_after_a_renaming(tmp_path):
    done, coming = make_run(tmp_path, seed=1), tmp_path / "digits-cnn" / "sgd-seed4-00000000"
    record_arms(tmp_path, AskedRuns([done, coming], [{"mine": [done, coming]}]))
    write_sweep(tmp_path, "abc", [(done, 3, False), (coming, 10, False)])
    watcher = Watcher([str(tmp_path)])
    assert [run.settings["arm"] for run in watcher.look().runs] == ["mine", "mine"]
    record_arms(tmp_path, AskedRuns([done], [{"base": [done]}]))
    assert {run.settings["arm"] for run in watcher.look().runs} == {"base", "mine"}


def test_runs_of_a_sweep_are_named_by_what_varies_in_it(tmp_path):
    done, coming = make_run(tmp_path, seed=1), tmp_path / "digits-cnn" / "sgd-seed4-00000000"
    write_sweep(tmp_path, "abc", [(done, 3, True), (coming, 10, False)], {done: "lr 0.1", coming: "lr 0.3"})
    assert sorted(run.label for run in look(tmp_path).runs) == ["lr 0.1", "lr 0.3"]


def test_a_run_trained_again_waits_although_it_is_finished(tmp_path):
    directory = make_run(tmp_path)
    set_age(directory / "run.json", 500)
    write_sweep(tmp_path, "abc", [(directory, 3, True)])
    (run,) = look(tmp_path).runs
    assert (run.status, run.epoch, run.in_sweep) == ("waiting", 0, True)


def test_a_sweep_from_another_machine_is_believed_while_one_of_its_runs_trains(tmp_path):
    running = begin_run(tmp_path, [0.5])
    coming = tmp_path / "digits-cnn" / "sgd-seed4-00000000"
    write_sweep(tmp_path, "abc", [(running, 10, False), (coming, 10, False)])
    file = sweep_file(tmp_path, "abc")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"host": "another", "boot": "another"}))
    set_age(file, 7200)
    with Lock(running / "run.lock"):
        assert look(tmp_path).counts() == {"running": 1, "waiting": 1}
    assert look(tmp_path).counts() == {"interrupted": 1}


def test_settled_runs_are_read_once(tmp_path, monkeypatch):
    from sweeper.watch import overview as sightings

    for seed in (1, 2):
        make_run(tmp_path, seed=seed)
    watcher = Watcher([str(tmp_path)])
    watcher.look()
    read = sightings.read_row
    asked = []
    monkeypatch.setattr(sightings, "read_row", lambda path, name: asked.append(name) or read(path, name))
    assert len(watcher.look().runs) == 2 and asked == []
    make_run(tmp_path, "failed", seed=2, error="anew")
    assert watcher.look().counts() == {"failed": 1, "completed": 1} and len(asked) == 1


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(BadInput, match="there is no such folder"):
        look(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="there are no runs in this folder"):
        Watcher([str(tmp_path)]).look(none_ok=False)
    assert look(tmp_path).runs == []


@pytest.mark.parametrize("seed", range(6))
def test_half_written_and_hostile_directories_are_damaged_runs_at_worst(tmp_path, seed):
    numbers = random.Random(seed)
    for k in range(12):
        run = make_run(tmp_path, numbers.choice(["running", "completed", "interrupted"]), seed=k, tag="\x1b[31m<b>")
        for name in ("run.json", "metrics.csv", "run.lock"):
            _harm(run / name, numbers)
    overview = look(tmp_path)
    assert overview.runs and 0 <= overview.epochs_done <= overview.epochs


def _harm(file, numbers) -> None:
    how = numbers.randrange(8)
    whole = file.read_bytes() if file.is_file() else b""
    if how >= 6:
        return
    file.unlink(missing_ok=True)
    if how == 0:
        os.mkfifo(file)
    elif how == 1:
        file.mkdir()
    elif how == 2:
        file.symlink_to(file)
    elif how == 3:
        file.write_bytes(whole[: numbers.randrange(len(whole) + 1)])
    elif how == 4:
        file.write_bytes(numbers.randbytes(200))
    else:
        file.write_bytes(whole.replace(b"3", b"1e999").replace(b"0.5", b"nan"))


def test_a_sweep_that_trains_a_run_again_shows_it_whichever_counts(tmp_path):
    """Another folder has it finished, so of the two that one is in the tables."""
    make_run(tmp_path / "a", epochs=10)
    run = begin_run(tmp_path / "b", [0.5] * 4, epochs=10)
    write_sweep(tmp_path / "b", "abc", [(run, 10, False)])
    with Lock(run / "run.lock"):
        overview = look(tmp_path / "a", tmp_path / "b")
    assert overview.counts() == {"running": 1} and (overview.epochs_done, overview.epochs) == (4, 10)
    assert overview.repeats == "", "nothing ended otherwise"
