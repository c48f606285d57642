"""Load and memory of this machine and its NVIDIA GPUs, as far as psutil, cgroup limits and the driver report them."""

import time
from typing import Any

from sweeper.system.machine import memory

HINT = "pip install 'optimizer-sweeper[nvidia]' shows the GPU's memory and load"
SETTLE = 0.2  # least seconds over which the CPU load is measured


class Machine:
    """Measures this machine. The CPU load is the average since the last call of `look`."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        psutil.cpu_percent()
        self._asked = time.monotonic()
        self._nvml, self._handles = _gpus()

    def look(self) -> dict[str, Any]:
        """`cpu_load` in [0, 1], `memory_used_bytes`, `memory_total_bytes`, and `gpus`: for each its `name`, `load` in
        [0, 1], `memory_used_bytes` and `memory_total_bytes`. Unknown values are None."""
        time.sleep(max(0.0, SETTLE - (time.monotonic() - self._asked)))
        total, available = memory()
        load = self._psutil.cpu_percent() / 100
        self._asked = time.monotonic()
        return {
            "cpu_load": min(1.0, load),
            "memory_used_bytes": total - available,
            "memory_total_bytes": total,
            "gpus": [self._gpu(handle) for handle in self._handles],
        }

    def _gpu(self, handle: Any) -> dict[str, Any]:
        nvml = self._nvml
        name = self._ask(nvml.nvmlDeviceGetName, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        rates = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        return {
            "name": name.decode(errors="replace") if isinstance(name, bytes) else name or "GPU",
            "load": None if rates is None else rates.gpu / 100,
            "memory_used_bytes": None if memory is None else int(memory.used),
            "memory_total_bytes": None if memory is None else int(memory.total),
        }

    def _ask(self, question: Any, handle: Any) -> Any:
        """The answer of NVIDIA's library, or None: a GPU that is lost or uses MIG answers only some questions."""
        try:
            return question(handle)
        except self._nvml.NVMLError:
            return None


def _gpus() -> tuple[Any, list[Any]]:
    """NVIDIA's library and a handle for each GPU; no handles without the library or the driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml, [pynvml.nvmlDeviceGetHandleByIndex(k) for k in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # no such package, no driver, or another version
        return None, []
