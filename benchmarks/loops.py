"""The loops that `benchmarks.peers` compares with: `python -m benchmarks.loops NAME`, a run's configuration on stdin.

Each trains the same model on the same images by SGD with momentum, evaluates nothing, and prints one line of JSON.
Images are decoded arrays turned to PIL images one by one, as torchvision's CIFAR10 does.
"""

import importlib
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.command_line import Parser
from sweeper.datasets.data import find_loader
from sweeper.engine.build import build_model
from sweeper.engine.devices import choose_device, peak_memory_bytes, synchronize
from sweeper.system.machine import cores

TUNED_WORKERS = 12


class Clock:
    """Seconds of each training epoch, the device's work included."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seconds: list[float] = []
        self.ended: list[float] = []  # time of day, s
        self._began = 0.0

    def start(self) -> None:
        synchronize(self.kind)
        self._began = time.perf_counter()

    def stop(self) -> None:
        synchronize(self.kind)
        self.seconds.append(time.perf_counter() - self._began)
        self.ended.append(time.time())


class PilImages(Dataset[Any]):
    """A data set's training images with the usual transforms: pad and crop, flip, to a tensor, normalize."""

    def __init__(self, dataset: dict[str, Any]) -> None:
        raw = find_loader(dataset["loader"])(dataset)
        limit = dataset["train_limit"]
        self.images, self.labels = raw.train_images[:limit], raw.train_labels[:limit]
        side, channels = self.images.shape[1], self.images.shape[3]
        self.image_shape = (channels, side, side)
        self.num_classes = len(raw.classes)
        steps: list[Any] = []
        if dataset["crop_padding"]:
            steps.append(transforms.RandomCrop(side, padding=dataset["crop_padding"]))
        if dataset["flip"]:
            steps.append(transforms.RandomHorizontalFlip())
        steps += [transforms.ToTensor(), transforms.Normalize([0.5] * channels, [0.25] * channels)]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(np.squeeze(self.images[k]))), int(self.labels[k])


def plain(model: nn.Module, images: PilImages, config: dict[str, Any], clock: Clock) -> int:
    """In the style of kuangliu/pytorch-cifar: fp32, two workers, the loss read at every step."""
    device = torch.device(clock.kind)
    model.to(device)
    optimizer = sgd(model)
    loader = DataLoader(images, config["batch_size"], shuffle=True, num_workers=2)
    for _ in range(config["epochs"]):
        clock.start()
        model.train()
        train_loss, correct, total = 0.0, 0, 0
        for batch, labels in loader:
            inputs, targets = batch.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = functional.cross_entropy(outputs, targets)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
            total += len(targets)
            correct += outputs.argmax(1).eq(targets).sum().item()
        clock.stop()
    return len(images)


def tuned(model: nn.Module, images: PilImages, config: dict[str, Any], clock: Clock, compiled: bool = False) -> int:
    """What a careful user writes: many workers that stay, pinned memory, bf16, channels_last, nothing read in between.

    The short last batch is dropped, for which a compiled model would be compiled again. On the CPU in fp32.
    """
    device = torch.device(clock.kind)
    on_gpu = clock.kind == "cuda"
    model.to(device).to(memory_format=torch.channels_last)
    optimizer = sgd(model)
    forward = torch.compile(model) if compiled else model
    loader = tuned_loader(images, config, pin_memory=on_gpu)
    for _ in range(config["epochs"]):
        clock.start()
        model.train()
        total_loss = torch.zeros((), device=device)
        for batch, labels in loader:
            inputs = batch.to(device, non_blocking=True, memory_format=torch.channels_last)
            targets = labels.to(device, non_blocking=True)
            with torch.autocast(clock.kind, dtype=torch.bfloat16, enabled=on_gpu):
                loss = functional.cross_entropy(forward(inputs), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total_loss += loss.detach()
        clock.stop()
    return len(loader) * config["batch_size"]


def lightning(model: nn.Module, images: PilImages, config: dict[str, Any], clock: Clock) -> int:
    """Lightning's Trainer over the tuned loader and model; its mixed precision, and no loggers or checkpoints."""
    pl: Any = import_lightning()
    on_gpu = clock.kind == "cuda"

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.to(memory_format=torch.channels_last)

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            inputs, targets = batch
            return functional.cross_entropy(self.model(inputs.contiguous(memory_format=torch.channels_last)), targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return sgd(self.model)

    class Timer(pl.Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            clock.start()

        def on_train_epoch_end(self, *_: Any) -> None:
            clock.stop()

    loader = tuned_loader(images, config, pin_memory=on_gpu)
    trainer = pl.Trainer(
        max_epochs=config["epochs"],
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision="bf16-mixed" if on_gpu else "32-true",
        benchmark=on_gpu,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Timer()],
    )
    trainer.fit(Module(), loader)
    return len(loader) * config["batch_size"]


def import_lightning() -> Any:
    for package, module in (("lightning", "lightning.pytorch"), ("pytorch_lightning", "pytorch_lightning")):
        if importlib.util.find_spec(package) is not None:
            return importlib.import_module(module)
    raise SystemExit("Lightning isn't installed")


def tuned_loader(images: PilImages, config: dict[str, Any], pin_memory: bool) -> DataLoader[Any]:
    workers = min(TUNED_WORKERS, cores())
    return DataLoader(
        images,
        config["batch_size"],
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
        pin_memory=pin_memory,
        drop_last=True,
    )


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


LOOPS: dict[str, Callable[..., int]] = {
    "plain": plain,
    "tuned": tuned,
    "tuned_compiled": partial(tuned, compiled=True),
    "lightning": lightning,
}


def main() -> None:
    parser = Parser("loops", __doc__)
    parser.add_argument("name", choices=list(LOOPS))
    name = parser.parse_args().name
    request = json.load(sys.stdin)
    config = request["config"]
    threads = config["device"]["threads"] or cores()
    torch.set_num_threads(threads)
    device = choose_device(config["device"], threads)
    images = PilImages(config["dataset"])
    model = build_model(config["model"], images.image_shape, images.num_classes, config["seed"])
    clock = Clock(device.kind)
    trained = LOOPS[name](model, images, config, clock)
    epoch = statistics.median(clock.seconds[1:])
    result = {
        "device": device.name,
        "torch": torch.__version__,
        "epochs": len(clock.seconds) - 1,
        "seconds_per_epoch": epoch,
        "images_per_second": trained / epoch,
        "peak_memory_bytes": peak_memory_bytes(device.kind),
        "setup_seconds": clock.ended[0] - request["launched"] - min(clock.seconds[0], epoch),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
