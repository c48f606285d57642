"""Errors of the device: out of memory, with an estimate of the batch size that fits, and a lost GPU."""

import contextlib
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sweeper.engine.device_errors import is_of_driver
from sweeper.system.errors import RunFailed, first_line
from sweeper.system.machine import memory

if TYPE_CHECKING:
    from sweeper.datasets.data import Data
    from sweeper.engine.devices import Device


class NoRoom(Exception):
    """The device's memory is too small for this run beside this process's others; it can resume when fewer run."""


class DeviceLost(RunFailed):
    """The device no longer responds to this process. No run caused it: each resumes from its checkpoint."""


def raise_if_lost(error: BaseException) -> None:
    """Raises DeviceLost if `error` came from the device and it no longer responds; any other concerns only this run."""
    if is_of_driver(error) and not device_answers():
        raise DeviceLost(
            f"the GPU is lost to this process ({first_line(error)}); "
            "no run failed by it, the same command goes on from the checkpoints"
        ) from None


def device_answers() -> bool:
    """Whether the device still responds; after a sticky CUDA error every later call of this process fails."""
    import torch

    if not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def explain_out_of_memory(config: dict[str, Any], data: "Data", device: "Device") -> str:
    """The error in one line, with the batch size that would fit if it can be estimated."""
    asked = config["batch_size"]
    fits = None
    with contextlib.suppress(Exception):  # a failed estimate must not hide the error
        free, peak = (
            measure_memory(config, data, device) if device.kind == "cuda" else _measure_host(config, data, device)
        )
        # A graph keeps the memory of its step while the short last batch is tried eagerly; on the host, activations
        # and gradients exist at the same time.
        fits = fitting_batch_size(peak, free // 2, asked)
    advice = f"about batch_size={fits} would fit" if fits else "choose a smaller batch_size or model"
    return f"out of memory with batch_size={asked}, alone on the {device.kind.upper()} device; {advice}"


def fitting_batch_size(peak: Callable[[int], int], free: int, asked: int) -> int | None:
    """The batch size whose step needs 90 % of `free` bytes; None if not even one image fits.

    Args:
        peak: the peak bytes of a step of so many images; called at two small sizes and extrapolated linearly.
        asked: the size that didn't fit; the estimate is below it.
    """
    small = max(1, asked // 16)
    low, high = peak(small), peak(2 * small)
    per_image = max(1.0, (high - low) / small)
    fits = min(int((0.9 * free - (low - small * per_image)) / per_image), asked - 1)
    return (fits // 8 * 8 or fits) if fits > 0 else None


def measure_memory(config: dict[str, Any], data: "Data", device: "Device") -> tuple[int, Callable[[int], int]]:
    """The bytes that are free for a run besides its data, and the peak bytes of an eager step by its batch size."""
    import torch
    from torch.nn import functional

    from sweeper.engine.averaging import build_ema
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
        ema = build_ema(config["ema"], model, optimizer)
        batch = torch.rand(images, *data.image_shape, device=where).contiguous(memory_format=device.memory_format)
        with device.autocast():
            logits = forward(batch)
        functional.cross_entropy(logits.float(), torch.zeros(images, dtype=torch.int64, device=where)).backward()
        optimizer.step()
        if ema is not None:
            ema.update()
        return torch.cuda.max_memory_allocated() - before

    return free, peak


def _measure_host(config: dict[str, Any], data: "Data", device: "Device") -> tuple[int, Callable[[int], int]]:
    """The free bytes of the machine, and the bytes that a step keeps for its backward pass by its batch size."""
    import torch
    from torch.nn import functional

    from sweeper.engine.build import build_model
    from sweeper.engine.devices import place

    gc.collect()
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model, device = place(model, device)
    copies = 4 + (config["ema"] is not None)  # weights, gradients, two states of the optimizer, and an average
    states = copies * sum(p.nbytes for p in model.parameters())

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
        del loss  # it kept the tensors alive until here, so no address was reused
        return size

    return memory().available, peak
