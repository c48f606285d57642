"""What is reckoned from given timings: each launcher's time, what fits, the disk, and other devices."""

import pytest

from sweeper.plan import forecast
from sweeper.plan.speeds import load_speeds
from sweeper.train.launchers.joblib import Joblib

GRID = ("-m", "dataset=digits", "optimizer=sgd,adam", "seed=1,2", "epochs=10", "save_model=true")


def launcher(document, name):
    return next(way for way in document["launchers"] if way["launcher"] == name)


def test_a_sweep_is_counted_and_reckoned(plan):
    code, document = plan(*GRID)
    assert code == 0
    counts = [document[key] for key in ("runs", "done", "half_done", "to_do", "epochs", "epochs_left")]
    assert counts == [4, 0, 0, 4, 40, 40]
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.5
    tables = forecast.TABLES * 2.0  # as long as importing torch takes, not the device's start nor reading the data
    assert document["once_seconds"] == {
        "composing": 0.0, "starting": 3.0, "reading": 1.0, "first_of_a_kind": 0.0, "tables": tables,
    }  # fmt: skip
    assert document["work"][0]["setup_seconds"] == {"1": 2.0, "2": 2.0}
    basic, local = launcher(document, "basic"), launcher(document, "local")
    assert basic["seconds"] == pytest.approx(4 + 4 * run + tables) and basic["at_a_time"] == 1
    assert basic["seconds"] - local["seconds"] == pytest.approx(2 * run - 4.0)  # its workers start once more
    assert document["launchers"][0]["launcher"] == "local" and local["chosen"] and not basic["chosen"]
    # Two kinds of run are timed, alone with all cores, and two at a time with half of them each.
    assert plan.asked == [(2, 1, 4, 4), (2, 2, 2, 0)]


def test_what_the_first_run_of_a_kind_takes_more_counts_once(plan):
    before = launcher(plan(*GRID)[1], "basic")["seconds"]
    after = launcher(plan(*GRID, first_seconds=7.0)[1], "basic")["seconds"]
    assert after - before == pytest.approx(2 * 7.0)  # two optimizers


PAIR = ("-m", "dataset=digits", "optimizer=sgd", "seed=1,2")


@pytest.mark.parametrize(
    ("alone", "two", "timed_again"),
    [
        (1.0, 1.0, False),
        (1.6, 1.0, False),  # small models may be slower with more threads
        (4.0, 0.36, True),
        (4.0, 40.0, False),
    ],
)
def test_an_epoch_that_is_slower_alone_than_two_at_a_time_is_timed_again(plan, alone, two, timed_again):
    """The faster of both timings counts."""
    _, document = plan(*PAIR, train=[alone, two, 0.3, 0.5])
    assert plan.asked == [(1, 1, 4, 2), (1, 2, 2, 0), (1, 1, 4, 0), (1, 2, 2, 0)][: 4 if timed_again else 2]
    (work,) = document["work"]
    seconds = (0.3, 0.36) if timed_again else (alone, two)
    assert work["epoch_seconds"] == {"1": pytest.approx(seconds[0] + 0.5), "2": pytest.approx(seconds[1] + 0.5)}
    assert work["implausible"] is False


def test_what_stays_implausible_is_said(plan):
    _, text = plan(*PAIR, train=[4.0, 0.36, 3.5, 0.4], text=True)
    line = "digits-cnn sgd: implausible: 4 s an epoch alone, 0.86 s 2 at a time; "
    assert f"{line}plan again when the machine is quiet\n" in text
    _, text = plan(*PAIR, train=[4.0, 0.36, 0.3, 0.4], text=True)
    assert "implausible" not in text
    _, document = plan(*PAIR, train=[4.0, 0.36, 3.5, 0.4])
    assert document["work"][0]["implausible"] is True


def test_what_differs_in_numbers_alone_is_timed_once(plan):
    _, document = plan("experiment=tune", "dataset=digits")
    assert document["runs"] == 45 and len(document["work"]) == 5
    _, document = plan("-m", "dataset=digits", "batch_size=32,64", "noise=none,symmetric")
    assert document["runs"] == len(document["work"]) == 4


def test_options_that_cost_time_are_timed_and_named(plan):
    words = ("-m", "dataset=digits", "ema=null,0.9,0.99", "label_smoothing=0,0.1", "clip_grad_norm=1")
    _, document = plan(*words)
    assert document["runs"] == 6
    kinds = [(w["ema"], w["label_smoothing"], w["clip_grad_norm"], w["drop_last"]) for w in document["work"]]
    assert kinds == [(e, smoothed, True, False) for e in (False, True) for smoothed in (False, True)]
    assert [w["runs"] for w in document["work"]] == [1, 1, 2, 2]
    _, text = plan(*words, text=True)
    rows = [line.split()[:4] for line in text.splitlines() if line.startswith("sgd")]
    assert rows == [["sgd", a, b, n] for b, n in (("no", "1"), ("yes", "2")) for a in ("no", "yes")]


def test_what_fits_in_a_time(plan):
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.5
    for seconds, runs in ((4 + 6 + 2.5 * run, 2), (1000, 4)):
        _, document = plan(*GRID, "--within", f"{seconds}s", jobs=1)
        basic = launcher(document, "basic")
        assert basic["fit"] == runs and (runs < 4) == (basic["epochs_that_fit"] < 10)


def test_a_gpu_packs_runs_and_several_share_them_out(plan):
    _, one = plan(*GRID, kind="cuda", jobs=1, gpus=1, lanes=3, gain=2.0)
    assert plan.asked == [(2, 1, 4, 4)]  # and the trial of lanes is asked for
    packed, basic = launcher(one, "packed"), launcher(one, "basic")
    assert packed["at_a_time"] == 3
    assert basic["seconds"] - packed["seconds"] == pytest.approx(4 * 10 * 0.5)  # training alone gains
    _, two = plan(*GRID, kind="cuda", jobs=1, gpus=2, lanes=3, gain=2.0)
    assert launcher(two, "packed")["at_a_time"] == 6
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.0
    assert packed["seconds"] - launcher(two, "packed")["seconds"] == pytest.approx(2 * run)


def test_the_launcher_asked_for_is_the_one_reckoned(plan):
    _, document = plan(*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=3")
    assert launcher(document, "joblib")["chosen"] and launcher(document, "joblib")["at_a_time"] == 3
    assert plan.asked[1] == (2, 3, 1, 0)
    _, document = plan(*GRID, "hydra/launcher=packed")
    assert launcher(document, "packed")["chosen"] and not launcher(document, "local")["chosen"]
    assert document["not_reckoned"] is None


def test_a_launcher_of_the_users_is_reckoned_by_what_it_says(plan, tmp_path):
    """A YAML of theirs for joblib's class counts as joblib, under its own name."""
    (tmp_path / "mine" / "hydra" / "launcher").mkdir(parents=True)
    (tmp_path / "mine" / "hydra" / "launcher" / "three.yaml").write_text(f"_target_: {Joblib.target}\nn_jobs: 3\n")
    _, document = plan("--config-dir", str(tmp_path / "mine"), *GRID, "hydra/launcher=three")
    assert launcher(document, "three")["chosen"] and launcher(document, "three")["at_a_time"] == 3
    assert document["not_reckoned"] is None


def test_fewer_runs_than_places_have_the_threads_that_more_would_have(plan):
    _, document = plan("-m", "dataset=digits", "optimizer=sgd", "seed=1", jobs=4)
    assert plan.asked == [(1, 1, 1, 0), (1, 1, 4, 1)] and launcher(document, "local")["at_a_time"] == 1
    plan("-m", "dataset=digits", "optimizer=sgd", "seed=1,2", jobs=4)
    assert plan.asked == [(1, 1, 4, 2), (1, 2, 1, 0)]


def test_no_more_threads_than_cores_are_timed(plan):
    _, document = plan(*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", "device.threads=2")
    assert launcher(document, "joblib")["at_a_time"] == 2 and plan.asked == [(2, 1, 2, 4), (2, 2, 2, 0)]


def test_the_disk_holds_weights_and_checkpoints_or_it_is_said(plan, monkeypatch):
    code, document = plan(*GRID)
    assert document["disk"]["kept_bytes"] > 4 * 10**6 and document["disk"]["while_training_bytes"] == 2 * 2 * 3 * 10**6
    assert code == 0 and document["disk"]["enough"]
    without = plan(*GRID, "save_model=false")[1]["disk"]["kept_bytes"]
    assert document["disk"]["kept_bytes"] - without == 4 * 10**6
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 60 * 2**20}))
    code, document = plan(*GRID)
    assert code == 1 and not document["disk"]["enough"]


def test_other_devices_are_told_by_their_measured_speeds(plan, monkeypatch):
    _, document = plan(*GRID)
    assert [row["device"] for row in document["elsewhere"]] == ["2 cores of an AMD EPYC, one run at a time"]
    (speed,) = [s for s in load_speeds() if s.device == "2 cores of an AMD EPYC, one run at a time"]
    assert document["elsewhere"][0]["seconds"] == pytest.approx(40 * 1438 / speed.images_per_second)
    _, document = plan(*GRID, "model=mlp")
    assert document["elsewhere"] == []


def test_energy_and_cost_follow_from_the_power_and_the_price(plan):
    words = ("-m", "dataset=digits", "optimizer=sgd", "seed=1,2", "epochs=10")
    _, document = plan(*words, "price_per_hour=3600", kind="cuda", watts=360.0, gpus=2, lanes=2, gain=1.5)
    for name, devices in (("packed", 2), ("basic", 1)):
        found = launcher(document, name)
        assert found["cost"] == pytest.approx(devices * found["seconds"], abs=1e-3)
        assert found["kwh"] == pytest.approx(360 * devices * found["seconds"] / 3.6e6, rel=1e-2)
    _, text = plan(*words, "price_per_hour=3600", kind="cuda", watts=360.0, text=True)
    assert "kWh of the GPU" in text and "cost" in text
    dear = next(way for way in plan(*words, "price_per_hour=360000")[1]["launchers"] if way["chosen"])["cost"]
    assert dear > 1000 and f" {dear:,.2f} " in plan(*words, "price_per_hour=360000", text=True)[1]
    _, document = plan(*words)
    assert not any({"kwh", "cost"} & {*found} for found in document["launchers"])
