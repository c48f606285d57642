"""Tests a device for `sweeper.doctor` in a separate process, since a broken device may hang or crash it.

It prints one JSON document: `python -m sweeper.doctor.device_test look` the kinds that torch sees here and why not the
others, `python -m sweeper.doctor.device_test cuda` (or `mps`, `cpu`) the results of `try_device`.
"""

import _thread
import contextlib
import copy
import json
import math
import os
import sys
from typing import Any

from sweeper.engine.devices import Device, choose_device, kinds_here, place, prepare_process, why_not
from sweeper.engine.kernels.triton import triton_serves
from sweeper.system.errors import named
from sweeper.system.machine import cores
from sweeper.system.parent import end_with_parent
from sweeper.system.temporary_folder import temporary_folder

LEARN = ("dataset=digits", "dataset.train_limit=960", "epochs=3", "model=cnn", "optimizer=sgd", "device.threads=null")
SPEED_SECONDS = 6.0
# Batch size and images per epoch of ResNet-18 on random images. On the CPU a step of 128 images takes too long.
SIZES = {"cuda": (128, 12_800), "mps": (128, 12_800), "cpu": (32, 640)}
MOST_IMAGES = 4096  # the largest batch size to look for


def main() -> int:
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries' output must not mix with the answer
    kind = sys.argv[1]
    # Interrupted, it removes its temporary folder.
    end_with_parent(os.getppid(), stop=_thread.interrupt_main, busy=lambda: True)
    prepare_process(cores())
    try:
        found = look() if kind == "look" else try_device(kind)
    except Exception as error:  # a device may raise anything
        found = {"error": named(error)}
    except KeyboardInterrupt:
        return 130
    answer.write(json.dumps(found))
    answer.close()
    return 0


def look() -> dict[str, Any]:
    """For each kind of device None if torch has it, else the reason in words."""
    return {kind: None if there else why_not(kind) for kind, there in kinds_here().items()}


def try_device(kind: str) -> dict[str, Any]:
    """Train briefly on a device.

    Returns:
        name: the device in words.
        precision: the one that `device.precision=auto` chooses.
        losses: {precision: the mean training loss of each of three epochs}, for fp32 and the precision above.
        images_per_second: for ResNet-18 on 32×32 images, without evaluation.
        batch_size_that_fits: for ResNet-18, measured; None if that isn't possible.
        gradient_error: on the CPU, the reference for other devices, see `gradient_error`; None elsewhere.
        kernels: on CUDA, whether our own work; None elsewhere.
    """
    usual = _configure(kind, "auto")
    device = choose_device(usual["device"], cores())
    losses = {precision: learn(_configure(kind, precision)) for precision in dict.fromkeys(["fp32", device.precision])}
    speed, fits = _resnet(kind)
    return {
        "name": device.name,
        "precision": device.precision,
        "losses": losses,
        "images_per_second": speed,
        "batch_size_that_fits": fits,
        "gradient_error": gradient_error(device) if kind == "cpu" else None,
        "kernels": triton_serves(device.torch_device) if kind == "cuda" else None,
    }


def learn(config: dict[str, Any]) -> list[float]:
    """Train a run by the engine's loop in a temporary folder; returns the mean training loss of each epoch."""
    from sweeper.datasets.data import load_run_data
    from sweeper.engine.loop import Diverged, train
    from sweeper.runs.directory import RunDirectory

    data, device = load_run_data(config), choose_device(config["device"], cores())
    rows: list[dict[str, Any]] = []
    with temporary_folder("sweeper-doctor-") as folder, contextlib.suppress(Diverged):
        for turn in train(config, data, device, RunDirectory(folder), rows, lambda row: None, {}):
            turn.wait()
    return [float(row["train_loss"]) for row in rows]


def gradient_error(device: Device) -> float:
    """The relative error of fp32 gradients to float64: norm of the difference over norm, the largest over parameters.

    It is measured on two networks with few and with many channels, in the memory format of training, with convolutions
    for which CPU libraries have special kernels. They are smooth, so that rounding errors aren't amplified. The error
    is infinite if a gradient isn't finite.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    errors = []
    for width in (4, 16):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            convolutions = (
                nn.Conv2d(3, width, 3, padding=1),
                nn.Conv2d(width, 2 * width, 1, stride=2),
                nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, 10, 1),
            )
            model: nn.Module = nn.Sequential(*[part for layer in convolutions for part in (layer, nn.Tanh())])
            images, labels = torch.rand(64, 3, 8, 8), torch.arange(64) % 10
        reference = copy.deepcopy(model).double()
        loss = functional.cross_entropy(reference(images.double()).mean((2, 3)), labels)
        right = torch.autograd.grad(loss, list(reference.parameters()))
        model, placed = place(model, device)
        images = images.to(device.torch_device).contiguous(memory_format=placed.memory_format)
        loss = functional.cross_entropy(model(images).mean((2, 3)), labels.to(device.torch_device))
        found = torch.autograd.grad(loss, list(model.parameters()))
        errors += [float((a.cpu() - b).norm() / b.norm()) for a, b in zip(found, right, strict=True)]
    return max(error if math.isfinite(error) else math.inf for error in errors)


def _configure(kind: str, precision: str, *overrides: str) -> dict[str, Any]:
    from sweeper.config.grid import compose_grid

    asked = [*(overrides or LEARN), f"device={kind}", f"device.precision={precision}", "save_model=false"]
    return compose_grid(asked).cells[0].config


def _resnet(kind: str) -> tuple[float, int | None]:
    """The images per second that ResNet-18 trains, and on CUDA the batch size that fits."""
    from sweeper.datasets.data import load_run_data
    from sweeper.engine.memory import fitting_batch_size, measure_memory
    from sweeper.plan.timing import time_first, time_within
    from sweeper.runs.metrics import per_second

    batch_size, images = SIZES[kind]
    limits = f"dataset.train_limit={images}", "dataset.test_limit=50"
    config = _configure(kind, "auto", "dataset=cifar10", *limits, f"batch_size={batch_size}")
    config["dataset"] |= {"loader": "sweeper.datasets.synthetic.made_images", "made_of": config["dataset"]["loader"]}
    data, device = load_run_data(config), choose_device(config["device"], cores())
    timing = time_within(SPEED_SECONDS, config, data, device, time_first(config, data, device))
    fits = None
    if kind == "cuda":
        with contextlib.suppress(Exception):  # an estimate; the training above worked without it
            free, peak = measure_memory(config, data, device)
            fits = fitting_batch_size(peak, free // 2, MOST_IMAGES)  # as after running out of memory
    return per_second(timing.images, timing.train_seconds), fits


if __name__ == "__main__":
    sys.exit(main())
