"""What a sweep knows of `packed` before it starts; sweeps by it are in the files beside this one."""

import pytest

from sweeper.system.errors import BadInput
from sweeper.train.launchers import lane_cache
from sweeper.train.launchers.interface import Measured
from sweeper.train.launchers.lane_cache import keep_gains
from sweeper.train.launchers.lane_trial import Trial
from sweeper.train.launchers.packed import Packed, find_lanes

PACKED = Packed()


@pytest.mark.parametrize("lanes", [0, -1, 1.5, True, "many", None])
def test_other_numbers_of_lanes_are_refused(lanes):
    with pytest.raises(BadInput, match=f"^hydra.launcher.lanes={lanes}: must be auto, or the number of runs at a time"):
        PACKED.check({"lanes": lanes})


@pytest.mark.parametrize("lanes", ["auto", 1, 6])
def test_lanes_are_in_one_process(lanes):
    PACKED.check({"lanes": lanes})
    assert PACKED.at_a_time({"lanes": lanes}) == 1


def test_each_gpu_is_a_place_that_is_faster_by_its_lanes():
    assert PACKED.turns(Measured(processes=4, gpus=2, lanes=3, gain=2.0)) == (6, 2, 2.0, False)
    assert PACKED.turns(Measured(processes=4, gpus=0, lanes=1, gain=1.0)) == (1, 1, 1.0, False)


def test_what_was_measured_before_is_used_at_once_and_else_a_trial_measures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lane_cache, "gpu_name", lambda: "NVIDIA T4")
    trial, kinds = find_lanes(5, {0: "a", 1: "b"}), {0: "b", 1: "a"}
    assert isinstance(trial, Trial) and capsys.readouterr().err == ""
    keep_gains(["a", "b"], {1: 1.0, 2: 1.1, 3: 1.2, 4: 1.25, 5: 1.3})
    assert find_lanes(5, kinds) == 5
    said = capsys.readouterr().err
    assert said == "lanes=auto: 5 at a time, 1.30 times as fast as one after another, as measured before\n"
    assert find_lanes(2, kinds) == 2
    assert isinstance(find_lanes(15, kinds), Trial)  # more than 5 at a time haven't been tried
    assert isinstance(find_lanes(5, {0: "a"}), Trial)
    keep_gains(["a"], {1: 1.0, 2: 0.7})
    assert find_lanes(15, {0: "a"}) == 1
