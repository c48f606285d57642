"""Chooses the device, CUDA before MPS before CPU, and knows what each kind can't do. Functions import torch lazily."""

import contextlib
import os
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.engine.deferred_compiler import defer_compiler
from sweeper.system.errors import BadInput
from sweeper.system.places import prepare_caches
from sweeper.system.text import counted

if TYPE_CHECKING:
    import torch

WORKSPACE = ":4096:8"  # cuBLAS's, which it needs for device.deterministic=true


@dataclass(frozen=True)
class Device:
    """A device and how a run uses it. Images are in channels_last, except where that gives wrong results."""

    kind: str  # cuda, mps or cpu
    name: str  # e.g. "NVIDIA H100 80GB HBM3"
    precision: str  # fp32, bf16 or fp16; weights and optimizer state are always fp32
    threads: int
    compile: bool
    why: str
    contiguous: bool = False  # images and weights are contiguous on the CPU, see `place`

    def line(self) -> str:
        threads = f", {counted(self.threads, 'thread')}" if self.kind == "cpu" else ""
        return f"device: {self.kind.upper()} ({self.name}), {self.precision}{threads}; {self.why}"

    @property
    def torch_device(self) -> "torch.device":
        import torch

        return torch.device(self.kind)

    @property
    def memory_format(self) -> "torch.memory_format":
        import torch

        # On MPS, the backward pass of batch norm was wrong in channels_last.
        return torch.contiguous_format if self.kind == "mps" or self.contiguous else torch.channels_last

    @property
    def graphs(self) -> bool:
        return self.kind == "cuda"

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The autocast context of the forward pass: weights stay fp32, suitable operators compute in `precision`."""
        import torch

        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.kind, dtype=self.low_precision)

    @property
    def low_precision(self) -> "torch.dtype | None":
        import torch

        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)


def set_variables() -> None:
    """Set the environment variables that torch reads when it is imported, for this process and those that it starts. A
    value of the user's stays."""
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # operators that MPS lacks run on the CPU
    if "OMP_WAIT_POLICY" not in os.environ:  # a waiting thread soon releases its core; no bit depends on it
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # of torch's OpenMP on Linux: see benchmarks.waiting
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    prepare_caches()


def prepare_process(threads: int) -> None:
    """Set what torch reads at import. Later calls change only the thread count."""
    set_variables()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
    defer_compiler()


def kinds_here() -> dict[str, bool]:
    """Each kind, best first, and whether this machine has it."""
    import torch

    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def best_kind(asked: str) -> str:
    """The requested kind, with `auto` replaced by this machine's best kind according to torch."""
    return next(kind for kind, there in kinds_here().items() if there) if asked == "auto" else asked


def choose_device(options: dict[str, Any], threads: int) -> Device:
    """Choose the device requested by `options` (the group `device`) and set torch's switches for it.

    Raises:
        BadInput: the kind, the precision or torch.compile isn't available here.
    """
    import torch

    has = kinds_here()
    asked = options["kind"]
    if asked != "auto" and not has[asked]:
        there = ", ".join(kind for kind in has if has[kind])
        raise BadInput(f"device={asked}: {why_not(asked)}; this machine has: {there}. Use device=auto")
    kind = best_kind(asked)
    why = (
        f"device={asked}"
        if asked != "auto"
        else {"cuda": "the fastest here", "mps": "no CUDA here"}.get(kind, "neither CUDA nor MPS here")
    )
    compiling = str(options["compile"]).lower() == "true"
    if compiling and kind == "mps":
        raise BadInput("device.compile=true: torch.compile is unreliable on MPS, so it isn't used there; leave it out")
    deterministic = bool(options["deterministic"])
    if deterministic != torch.are_deterministic_algorithms_enabled():  # setting it costs a second of imports
        torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = kind == "cuda" and not deterministic
    torch.backends.cudnn.deterministic = deterministic
    return Device(
        kind=kind,
        name=_device_name(kind),
        precision=_precision(kind, options["precision"]),
        threads=threads,
        compile=compiling,
        why=why,
    )


def _precision(kind: str, asked: str) -> str:
    import torch

    if kind == "cuda":
        capability = torch.cuda.get_device_capability()
        if asked == "auto":  # tensor cores compute bf16 from 8.0 (Ampere) on, and fp16 from 7.0 (Volta, Turing) on
            return "bf16" if capability >= (8, 0) else "fp16" if capability >= (7, 0) else "fp32"
        if asked == "bf16" and capability < (8, 0):
            raise BadInput(
                "device.precision=bf16: this GPU doesn't support bf16 (compute capability below 8.0); use fp16"
            )
    elif asked == "fp16":
        raise BadInput(f"device.precision=fp16: only CUDA has it, with loss scaling; {kind} has bf16 and fp32")
    return "fp32" if asked == "auto" else asked


def place(model: "torch.nn.Module", device: Device) -> tuple["torch.nn.Module", Device]:
    """Move the model to the device. Returns both; the returned device has the memory format that the model needs."""
    if device.kind == "cpu" and any(map(_needs_contiguous, model.modules())):
        device = replace(device, contiguous=True)
    return model.to(device.torch_device).to(memory_format=device.memory_format), device


def _needs_contiguous(layer: "torch.nn.Module") -> bool:
    """Whether oneDNN may hang, crash or compute a wrong weight gradient for this layer in channels_last.

    Without AVX-512 it does for 1×1 convolutions with a stride and fewer than 8 input channels
    (github.com/uxlfoundation/oneDNN/issues/6035). The rule doesn't depend on the CPU, so that a run has the same memory
    format on every CPU.
    """
    import torch

    return (
        isinstance(layer, torch.nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.groups == 1
        and layer.in_channels < 8
    )


def has_precision(kind: str, precision: str) -> bool:
    """Whether this machine's device of that kind supports the precision."""
    try:
        return precision in ("fp32", "bf16", "fp16") and _precision(kind, precision) == precision
    except BadInput:
        return False


def why_not(kind: str) -> str:
    """Why torch has no device of that kind here, as a phrase."""
    import torch

    if kind == "cuda":
        built = torch.version.cuda is not None
        return "no NVIDIA GPU with a working driver was found" if built else "this build of torch has no CUDA"
    built = torch.backends.mps.is_built()
    return "MPS needs macOS 12.3 or later on Apple Silicon" if built else "this build of torch has no MPS"


def _device_name(kind: str) -> str:
    import torch

    if kind == "cuda":
        return torch.cuda.get_device_name()
    if kind == "mps":
        return "Apple Silicon GPU"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_memory_bytes(kind: str) -> int:
    """Peak bytes of device memory used by this process since `reset_peak_memory`; on the CPU its peak resident size."""
    import torch

    if kind == "cuda":
        return torch.cuda.max_memory_allocated()
    if kind == "mps":
        return torch.mps.driver_allocated_memory()  # MPS records no peak; the driver's pool only grows
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def reset_peak_memory(kind: str) -> None:
    """Reset the peak, for a run that is alone in its process. On the CPU the peak can't be reset."""
    import torch

    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()


def synchronize(kind: str) -> None:
    """Wait until the device has done all its work, so that elapsed times are right."""
    import torch

    if kind == "cuda":
        torch.cuda.synchronize()
    elif kind == "mps":
        torch.mps.synchronize()


def on_host(tensor: "torch.Tensor") -> "torch.Tensor":
    """A copy in the host's memory; from CUDA it is complete once the device has done the work given so far."""
    return tensor.detach().to("cpu", non_blocking=tensor.is_cuda, copy=True)
