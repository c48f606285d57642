"""The errors of a GPU by what they mean for a run, and the batch size that fits."""

import re

import pytest
import torch

from sweeper.engine import memory as faults
from sweeper.engine.memory import DeviceLost, fitting_batch_size, raise_if_lost
from sweeper.system.machine import Memory

LOST = "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later"


def test_a_device_that_answers_no_more_is_lost_and_said_in_one_line(monkeypatch):
    monkeypatch.setattr(faults, "device_answers", lambda: False)
    with pytest.raises(DeviceLost) as lost:
        raise_if_lost(RuntimeError(LOST))
    assert str(lost.value) == (
        "the GPU is lost to this process (CUDA error: device-side assert triggered); "
        "no run failed by it, the same command goes on from the checkpoints"
    )
    raise_if_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    raise_if_lost(ValueError("CUDA error"))


def test_an_error_after_which_the_device_answers_is_the_runs_own(monkeypatch):
    monkeypatch.setattr(faults, "device_answers", lambda: True)
    raise_if_lost(RuntimeError("CUDA error: invalid argument"))


def test_without_cuda_there_is_nothing_to_lose():
    if torch.cuda.is_initialized():
        pytest.skip("this process uses CUDA")
    assert faults.device_answers()


@pytest.mark.parametrize(
    ("fixed", "per_image", "free", "asked", "fits"),
    [
        (1000, 10, 3000, 512, 168),  # 0.9 · 3000 = 1000 + 170 · 10, rounded down to a multiple of 8
        (1000, 10, 1150, 512, 3),  # below 8 to the image
        (1000, 10, 900, 512, None),  # the model alone is too much
        (0, 10, 10**9, 64, 56),  # an estimate above what didn't fit can't be right
        (1000, 0, 3000, 64, 56),
        (1000, 10, 3000, 1, None),
    ],
)
def test_the_batch_size_that_fits_follows_from_two_small_ones(fixed, per_image, free, asked, fits):
    tried = []

    def peak(images):
        tried.append(images)
        return fixed + per_image * images

    assert fitting_batch_size(peak, free, asked) == fits
    assert max(tried) <= max(2, asked // 8)


def test_on_the_host_too_a_batch_size_is_named_that_fits(monkeypatch):
    from conftest import TINY

    from sweeper.config.grid import compose_grid
    from sweeper.datasets.data import load_run_data
    from sweeper.engine.devices import choose_device

    config = compose_grid([*TINY, "model=cnn", "batch_size=4096"]).cells[0].config
    data, device = load_run_data(config), choose_device(config["device"], threads=1)
    _, peak = faults._measure_host(config, data, device)
    monkeypatch.setattr(faults, "memory", lambda: Memory(2**40, 2 * peak(1000)))
    line = faults.explain_out_of_memory(config, data, device)
    (fits,) = re.findall(
        r"^out of memory with batch_size=4096, alone on the CPU device; about batch_size=(\d+) would fit$", line
    )
    assert 850 <= int(fits) <= 904  # nine tenths of what 1,000 images need
    assert peak(int(fits)) < peak(1000)
