"""Measures the energy of a run's NVIDIA GPU, where NVIDIA's library is installed and the GPU answers."""

import contextlib
import time
from typing import Any

from sweeper.runs.checks import AMOUNT, Damaged

JOULES = 3.6e6  # of a kWh
EVERY = 1.0  # least seconds between two questions, each of which takes about a millisecond


class GpuMeter:
    """The energy that a GPU has taken, in joules since any fixed time.

    GPUs before Volta have no counter of it: their power is summed over the time between two questions.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self._summed, self._before = 0.0, (time.perf_counter(), 0.0)
        try:
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            self._has_counter = True
        except nvml.NVMLError:
            self._has_counter = False
            self._before = (time.perf_counter(), nvml.nvmlDeviceGetPowerUsage(handle) / 1000)

    def joules(self) -> float | None:
        """None if the GPU no longer answers."""
        try:
            if self._has_counter:
                return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1000)
            now = (time.perf_counter(), self._nvml.nvmlDeviceGetPowerUsage(self._handle) / 1000)
        except self._nvml.NVMLError:
            return None
        self._summed += (now[0] - self._before[0]) * (now[1] + self._before[1]) / 2
        self._before = now
        return self._summed


def open_meter(kind: str) -> GpuMeter | None:
    """The meter of the GPU that this process trains on; None without one, without the library or the driver."""
    if kind != "cuda":
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        return GpuMeter(pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{_uuid()}"))
    except Exception:  # no such package, no driver, another version, or a part of a GPU
        return None


class RunEnergy:
    """The energy of a run in kWh, continued over its resumptions; `kwh` is None where a part of it isn't known.

    If n runs share the GPU, each counts 1/n of what it takes, as of its time. What others use of it counts too.
    """

    def __init__(self, meter: GpuMeter | None, record: dict[str, Any] | None) -> None:
        self._meter, self._asked = meter, time.perf_counter()
        self._before = None if meter is None else meter.joules()
        self.kwh = None if self._before is None else _so_far(record)

    def count(self, sharing: int, at_once: bool = False) -> None:
        """Add the energy since the last question.

        Args:
            sharing: how many runs share the GPU.
            at_once: ask even if the last question was a moment ago.
        """
        now = time.perf_counter()
        if self._meter is None or self.kwh is None or (now - self._asked < EVERY and not at_once):
            return
        joules = self._meter.joules()
        if joules is None or self._before is None or joules < self._before:  # the driver was loaded again
            self.kwh = None
            return
        self.kwh += (joules - self._before) / JOULES / sharing
        self._before, self._asked = joules, now


def _so_far(record: dict[str, Any] | None) -> float | None:
    """The energy by the run's earlier record; None if that has a time and no energy."""
    environment = (record or {}).get("environment") or {}
    with contextlib.suppress(Damaged):
        known: float | None = AMOUNT.check("environment.energy_kwh", environment.get("energy_kwh"))
        if known is not None or not environment.get("device_seconds"):
            return known or 0.0
    return None


def _uuid() -> str:
    import torch

    return str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)  # torch 2.5
