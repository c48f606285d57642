"""Kinds of runs are timed within a bounded time; those that aren't are estimated by others of their model."""

import pytest

from sweeper.plan import sides
from sweeper.plan.probe import Probed
from sweeper.plan.sides import Side, time_kinds
from tests.plan.conftest import timing

ALONE, JOINT = Side(1, 2), Side(2, 1)


def config(optimizer, model="resnet18"):
    parts = {
        group: {"name": name} for group, name in (("dataset", "cifar10"), ("model", model), ("optimizer", optimizer))
    }
    return {**parts, "batch_size": 128, "device": {}}


@pytest.fixture
def probe(monkeypatch):
    """Each epoch takes as many seconds as `seconds` says of the optimizer, twice as many where two train at a time."""

    def install(seconds, left_out=()):
        asked = []

        def probe(configs, at_a_time, threads, each, pack, bound=None, hear=lambda place, timing: None):
            names = [config["optimizer"]["name"] for config in configs]
            asked.append((at_a_time, names, bound and bound.seconds))
            found = []
            for place, name in enumerate(names):
                late = bound and place not in bound.needed and (bound.seconds == 0 or (at_a_time, name) in left_out)
                found.append(None if late else timing(seconds[name] * at_a_time, 0.0, part=0.01))
                if found[-1] is not None:
                    hear(place, found[-1])
            return Probed("cpu", "device: a device", 2.0, 3.0, 1.0, 0, found, seconds=25.0)

        monkeypatch.setattr(sides, "probe", probe)
        return asked

    return install


KINDS = {name: config(name) for name in ("sgd", "adam", "muon")}
EPOCHS = {name: 600 for name in KINDS}


def test_it_says_at_once_what_it_does_and_after_one_kind_what_to_expect(probe, capsys):
    probe({"sgd": 1000.0, "adam": 1000.0, "muon": 2000.0})
    time_kinds(KINDS, EPOCHS, ALONE, JOINT, 30.0, 0, bounded=True)
    first, early = capsys.readouterr().err.splitlines()
    cost = "30 s of training, with set-up about 1 min 15 s at most"
    assert first == f"timing 3 kinds of runs, alone and 2 at a time: {cost}"
    assert (
        early == "about 20 d 20 h of training one run at a time, if epochs are as long as this one's; timing the others"
    )


def test_one_run_with_fewer_threads_than_it_could_have_is_timed_with_both_numbers(probe, capsys):
    """As a sweep of one run by the default launcher; more threads may well slow a small model."""
    probe({"sgd": 1.0})
    found = time_kinds({"sgd": config("sgd")}, {"sgd": 3}, ALONE, Side(1, 1), 30.0, 0, bounded=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("timing a run, alone with 1 thread and 2 threads: 30 s of training")
    assert found.implausible == []


def test_long_epochs_are_timed_several_at_a_time_once_for_each_model(probe):
    asked = probe({"sgd": 1000.0, "adam": 1100.0, "muon": 2000.0, "lion": 50.0})
    kinds = {**KINDS, "lion": config("lion", model="cnn")}
    found = time_kinds(kinds, {name: 600 for name in kinds}, ALONE, JOINT, 30.0, 0, bounded=True)
    assert [bound for *_, bound in asked] == [75.0, 0.0]
    assert found.estimated == {ALONE: [], JOINT: ["adam", "muon"]} and found.implausible == []
    seconds = {kind: found.timings[JOINT][kind].epoch_seconds for kind in kinds}
    assert seconds == pytest.approx({"sgd": 2000.0, "adam": 2200.0, "muon": 4000.0, "lion": 100.0})


def test_short_epochs_are_all_timed(probe):
    asked = probe({"sgd": 1.0, "adam": 1.0, "muon": 1.0})
    found = time_kinds(KINDS, EPOCHS, ALONE, JOINT, 30.0, 0, bounded=True)
    assert [bound for *_, bound in asked] == [75.0, 50.0] and not any(found.estimated.values())


def test_where_the_time_is_over_a_kind_is_estimated_by_another_of_its_model(probe):
    probe({"sgd": 9.0, "adam": 9.0, "muon": 9.0}, left_out={(1, "muon")})
    found = time_kinds(KINDS, EPOCHS, ALONE, JOINT, 30.0, 0, bounded=True)
    assert found.estimated == {ALONE: ["muon"], JOINT: []}
    assert found.timings[ALONE]["muon"].epoch_seconds == 9.0


def test_on_a_gpu_all_are_timed(probe):
    asked = probe({"sgd": 1000.0, "adam": 1000.0, "muon": 1000.0})
    time_kinds(KINDS, EPOCHS, ALONE, ALONE, 30.0, 6, bounded=False)
    assert [bound for *_, bound in asked] == [None]


@pytest.mark.parametrize(("alone", "implausible"), [(1000.0, []), (2500.0, ["sgd"])])
def test_of_long_epochs_any_that_is_slower_alone_is_marked(probe, monkeypatch, alone, implausible):
    """Two threads don't slow a large model: other work did."""
    probe({"sgd": alone})
    probed = sides.probe

    def joint_of_1000(configs, at_a_time, *others):
        found = probed(configs, at_a_time, *others)
        return found if at_a_time == 1 else Probed(**{**vars(found), "timings": [timing(2000.0, 0.0)]})

    monkeypatch.setattr(sides, "probe", joint_of_1000)
    found = time_kinds({"sgd": config("sgd")}, {"sgd": 600}, ALONE, JOINT, 30.0, 0, bounded=True)
    assert found.implausible == implausible
