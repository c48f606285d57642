"""What a device can do to a run: too little memory, with an estimate of what fits, and a GPU that is lost."""

import contextlib
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sweeper.system.errors import RunFailed, first_line
from sweeper.system.machine import memory

if TYPE_CHECKING:
    from sweeper.datasets.data import Data
    from sweeper.engine.devices import Device

_NO_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory")


class NoRoom(Exception):
    """The device's memory doesn't hold this run beside the others of this process; it can go on when they are fewer."""


class DeviceLost(RunFailed):
    """The device answers this process no more. No run's fault: each goes on from its checkpoint in a new process."""


def is_out_of_memory(error: BaseException) -> bool:
    """Is it the memory that ran out, by torch's or Python's name for it or by what the driver or a library said?"""
    import torch

    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def raise_if_lost(error: BaseException) -> None:
    """Tell an error after which the device is gone for this process from one that only this run has.

    Raises:
        DeviceLost: `error` is the device's, and it doesn't answer since.
    """
    if isinstance(error, RuntimeError) and "CUDA error" in str(error) and not device_answers():
        raise DeviceLost(
            f"the GPU is lost to this process ({first_line(error)}); "
            "no run failed by it, the same command goes on from the checkpoints"
        ) from None


def device_answers() -> bool:
    """False after an error that CUDA keeps for good: every later call in this process gets it too."""
    import torch

    if not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def explain_out_of_memory(config: dict[str, Any], data: "Data", device: "Device") -> str:
    """One line, with the batch size that would fit where that can be found out."""
    asked = config["batch_size"]
    fits = None
    with contextlib.suppress(Exception):  # an estimate must not hide the error it is for
        free, peak = (
            measure_memory(config, data, device) if device.kind == "cuda" else _measure_host(config, data, device)
        )
        # A graph keeps the memory of its step, and the short last batch is tried eagerly beside it; on the host
        # gradients and what they are computed of live at a time.
        fits = fitting_batch_size(peak, free // 2, asked)
    advice = f"about batch_size={fits} would fit" if fits else "choose a smaller batch_size or model"
    return f"out of memory with batch_size={asked}, alone on the {device.kind.upper()} device; {advice}"


def fitting_batch_size(peak: Callable[[int], int], free: int, asked: int) -> int | None:
    """The batch size whose step needs nine tenths of `free` bytes; None when not even one image fits.

    Args:
        peak: bytes that a step of so many images needs at most; measured at two small sizes, linear beyond.
        asked: the size that didn't fit; the estimate stays below it.
    """
    small = max(1, asked // 16)
    low, high = peak(small), peak(2 * small)
    per_image = max(1.0, (high - low) / small)
    fits = min(int((0.9 * free - (low - small * per_image)) / per_image), asked - 1)
    return (fits // 8 * 8 or fits) if fits > 0 else None


def measure_memory(config: dict[str, Any], data: "Data", device: "Device") -> tuple[int, Callable[[int], int]]:
    """Bytes that are free for a run beside its data, and the peak of one eager step as a function of its images."""
    import torch
    from torch.nn import functional

    from sweeper.engine.build import build_model, build_optimizer
    from sweeper.engine.devices import place
    from sweeper.engine.fuse import forward_passes

    gc.collect()
    torch.cuda.empty_cache()
    splits = [data.train, data.test, *([data.val] if data.val else [])]
    free = torch.cuda.mem_get_info()[0] - sum(split.images.nbytes for split in splits)
    where = device.torch_device

    def peak(images: int) -> int:
        before = torch.cuda.memory_allocated()
        model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
        model, placed = place(model, device)
        forward = forward_passes(model, placed, data.image_shape).training
        torch.cuda.reset_peak_memory_stats()
        optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
        batch = torch.rand(images, *data.image_shape, device=where).contiguous(memory_format=device.memory_format)
        with device.autocast():
            logits = forward(batch)
        functional.cross_entropy(logits.float(), torch.zeros(images, dtype=torch.int64, device=where)).backward()
        optimizer.step()
        return torch.cuda.max_memory_allocated() - before

    return free, peak


def _measure_host(config: dict[str, Any], data: "Data", device: "Device") -> tuple[int, Callable[[int], int]]:
    """Bytes that the machine has left, and what a step keeps for its gradients as a function of its images."""
    import torch
    from torch.nn import functional

    from sweeper.engine.build import build_model
    from sweeper.engine.devices import place

    gc.collect()
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model, device = place(model, device)
    states = 4 * sum(p.nbytes for p in model.parameters())  # weights, gradients and two numbers of the optimizer

    def peak(images: int) -> int:
        kept: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        batch = torch.rand(images, *data.image_shape, device=device.torch_device)
        batch = batch.contiguous(memory_format=device.memory_format)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), device.autocast():
            loss = functional.cross_entropy(
                model(batch).float(), torch.zeros(images, dtype=torch.int64).to(batch.device)
            )
        size = states + sum(kept.values())
        del loss  # until here it kept the tensors alive, and so their addresses apart
        return size

    return memory().available, peak
