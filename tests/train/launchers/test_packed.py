"""What a sweep knows of `packed` before it starts; sweeps by it are in the files beside this one."""

import pytest

from sweeper.system.errors import BadInput
from sweeper.train.launchers.interface import Measured
from sweeper.train.launchers.packed import Packed

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
