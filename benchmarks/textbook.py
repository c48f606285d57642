"""`python -m benchmarks.textbook --root FOLDER --csv OUT.csv`: ResNet-18 by SGD on CIFAR-10 as textbooks write it.

It shares no model, optimizer, schedule, augmentation or step with `sweeper`, which alone reads the images here, so that
one can be held against the other: torchvision's ResNet-18 with a 3×3 stem and no max-pool, torch's batch norm, torch's
SGD (lr 0.1, Nesterov momentum 0.9, weight decay 5e-4), batches of 128 with a short last one, half a cosine per step to
0, no warm-up, crops of images padded by 4 black pixels, flips, test accuracy after every epoch.

It appends a row to OUT.csv for each seed, and to OUT.epochs.csv for each epoch. On CUDA a step is one CUDA graph.
"""

import argparse
import csv
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

from benchmarks.command_line import Parser, count
from sweeper.datasets.loaders import cifar10
from sweeper.system.command import exit_code_of

LR, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 5e-4
BATCH_SIZE, PADDING = 128, 4
PRECISIONS = ("bf16", "tf32", "fp32")


@dataclass
class Images:
    images: torch.Tensor  # (n, 3, h, w) uint8
    labels: torch.Tensor  # (n,) int64


def main() -> None:
    arguments = parse()
    device = torch.device(arguments.device)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.precision != "fp32"
    train, test = read(arguments.root, arguments.limit, device)
    recipe = {
        "decay_norms": arguments.decay_norms == "true",
        "precision": arguments.precision,
        "init": arguments.init,
        "warmup": arguments.warmup,
        "weight_decay": arguments.weight_decay,
        "epochs": arguments.epochs,
    }
    for seed in arguments.seed:
        accuracies = []
        began = time.perf_counter()
        for epoch, row in enumerate(run(train, test, seed, **recipe), start=1):
            accuracies.append(row["test_accuracy"])
            write_row(arguments.csv.with_suffix(".epochs.csv"), {"seed": seed, **recipe, "epoch": epoch, **row})
            print(f"seed {seed} epoch {epoch}: {row}", flush=True)
        end = {"final": accuracies[-1], "best": max(accuracies), "seconds": round(time.perf_counter() - began, 1)}
        write_row(arguments.csv, {"seed": seed, **recipe, **end})


def run(
    train: Images,
    test: Images,
    seed: int,
    epochs: int,
    decay_norms: bool,
    precision: str,
    init: str = "torchvision",
    warmup: float = 0.0,
    weight_decay: float = WEIGHT_DECAY,
) -> Iterator[dict[str, float]]:
    """Train one network; yields training loss and test accuracy of each epoch."""
    torch.manual_seed(seed)
    device = train.images.device
    on_gpu = device.type == "cuda"
    mean, std = pixel_statistics(train.images)
    model = resnet18(len(train.labels.unique()))
    if init == "torch":
        reset_to_torch_defaults(model)
    model.to(device, memory_format=torch.channels_last)
    lr = torch.tensor(LR, device=device)  # a tensor, which the CUDA graph reads anew in each step
    optimizer = sgd(model, decay_norms, weight_decay, lr=lr, fused=True)
    images = torch.zeros(BATCH_SIZE, *train.images.shape[1:], device=device).to(memory_format=torch.channels_last)
    labels = torch.zeros(BATCH_SIZE, dtype=torch.int64, device=device)
    total_loss = torch.zeros((), device=device)

    def forward(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
            logits: torch.Tensor = model(x)
        return logits.float()

    def step(size: int) -> None:
        loss = functional.cross_entropy(forward(images[:size]), labels[:size])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total_loss.add_(loss.detach() * size)

    n = len(train.labels)
    sizes = [min(BATCH_SIZE, n - start) for start in range(0, n, BATCH_SIZE)]
    run_step = as_graphs(step, sorted(set(sizes)), model, optimizer) if on_gpu else step
    total_steps, done = epochs * len(sizes), 0
    for _ in range(epochs):
        model.train()
        total_loss.zero_()
        shuffled = torch.randperm(n, device=device)
        batch_images = normalize(augment(train.images[shuffled]), mean, std).split(BATCH_SIZE)
        for x, y in zip(batch_images, train.labels[shuffled].split(BATCH_SIZE), strict=True):
            images[: len(x)].copy_(x)
            labels[: len(y)].copy_(y)
            lr.fill_(cosine(done, total_steps, round(warmup * total_steps)))
            run_step(len(y))
            done += 1
        model.eval()
        with torch.no_grad():
            batches = zip(test.images.split(1000), test.labels.split(1000), strict=True)
            correct = sum((forward(normalize(x, mean, std)).argmax(1) == y).sum() for x, y in batches)
        yield {"train_loss": total_loss.item() / n, "test_accuracy": float(correct) / len(test.labels)}


def resnet18(num_classes: int, width: int = 64) -> torchvision.models.ResNet:
    """torchvision's, whose convolutions start by Kaiming's normal distribution (fan-out), with the stem for 32×32."""
    block = torchvision.models.resnet.BasicBlock
    model = torchvision.models.ResNet(block, [2, 2, 2, 2], num_classes)
    model.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    if width != 64:  # torchvision's own, which it has no option for
        model.bn1, model.inplanes = nn.BatchNorm2d(width), width
        for k in range(4):
            stage = model._make_layer(block, 2**k * width, blocks=2, stride=1 if k == 0 else 2)
            setattr(model, f"layer{k + 1}", stage)
        model.fc = nn.Linear(8 * width, num_classes)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def reset_to_torch_defaults(model: nn.Module) -> None:
    """Initial weights as in code without an initialization of its own, e.g. kuangliu/pytorch-cifar."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()


def sgd(
    model: nn.Module, decay_norms: bool, weight_decay: float = WEIGHT_DECAY, **options: Any
) -> torch.optim.Optimizer:
    """Over all parameters; weight decay leaves batch norms and biases alone unless `decay_norms`."""
    weights = [p for p in model.parameters() if p.ndim > 1 or decay_norms]
    others = [p for p in model.parameters() if not (p.ndim > 1 or decay_norms)]
    groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": weight_decay}]
    if others:
        groups.append({"params": others, "weight_decay": 0.0})
    return torch.optim.SGD(groups, **{"lr": LR, "momentum": MOMENTUM, "nesterov": True, **options})


def cosine(step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """The learning rate of step 0, 1, ...: linear from LR / warmup_steps to LR, then half a cosine to 0."""
    if step < warmup_steps:
        return LR * (step + 1) / warmup_steps
    return LR * (1 + math.cos(math.pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2


def augment(images: torch.Tensor) -> torch.Tensor:
    """Each image padded by black, cropped at one of 9 × 9 places, and mirrored half of the time."""
    n, _, height, width = images.shape
    device = images.device
    padded = functional.pad(images, [PADDING] * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (n, 3, 9, 9, h, w), a view
    places = 2 * PADDING + 1
    top, left = torch.randint(places, (n,), device=device), torch.randint(places, (n,), device=device)
    cropped = windows[torch.arange(n, device=device), :, top, left]
    mirrored = torch.rand(n, device=device) < 0.5
    return torch.where(mirrored[:, None, None, None], cropped.flip(3), cropped)


def pixel_statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel, in [0, 1], shaped (3, 1, 1)."""
    channels = images.transpose(0, 1).flatten(1)
    mean = torch.stack([channel.double().mean() for channel in channels]) / 255
    std = torch.stack([channel.double().std() for channel in channels]) / 255
    return mean.float()[:, None, None], std.float()[:, None, None]


def normalize(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def as_graphs(
    step: Callable[[int], None], sizes: list[int], model: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[int], None]:
    """The step recorded for each batch size, model and optimizer left as they were."""
    initial = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for size in sizes * 3:
            step(size)
    torch.cuda.current_stream().wait_stream(stream)
    graphs: dict[int, torch.cuda.CUDAGraph] = {}
    for size in sizes:
        optimizer.zero_grad(set_to_none=True)
        graphs[size] = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graphs[size]):
            step(size)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(initial[name])
        for state in optimizer.state.values():
            state["momentum_buffer"].zero_()  # the first step then sets it to the gradient, as torch's first step does
    return lambda size: graphs[size].replay()


def read(root: Path, limit: int | None, device: torch.device) -> tuple[Images, Images]:
    """Training and test images of an .npz (x_train, y_train, x_test, y_test) or of what `dataset.root` takes."""
    if root.suffix == ".npz":
        file = np.load(root)
        arrays = [file[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    else:
        raw = cifar10({"name": "cifar10", "root": str(root), "workers": None, "image_size": None})
        arrays = [raw.train_images, raw.train_labels, raw.test_images, raw.test_labels]
    chosen = [torch.from_numpy(a[:: max(1, len(a) // limit)][:limit] if limit else a).to(device) for a in arrays]
    return tuple(Images(x.permute(0, 3, 1, 2).contiguous(), y.long()) for x, y in (chosen[:2], chosen[2:]))  # type: ignore[return-value]


def write_row(path: Path, row: dict[str, Any]) -> None:
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def parse() -> argparse.Namespace:
    parser = Parser("textbook", __doc__)
    parser.add_argument("--root", type=Path, required=True, help="CIFAR-10, as for dataset.root, or an .npz")
    parser.add_argument("--csv", type=Path, required=True, help="appended to")
    parser.add_argument("--epochs", type=count, default=100)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one after another")
    parser.add_argument("--decay-norms", choices=("true", "false"), default="true")
    parser.add_argument("--weight-decay", type=float, default=WEIGHT_DECAY)
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--init", choices=("torchvision", "torch"), default="torchvision", help="of convolutions")
    parser.add_argument("--warmup", type=float, default=0.0, help="linear, as a fraction of all steps")
    parser.add_device(default="cuda")
    parser.add_argument("--limit", type=count, help="only that many training and test images")
    arguments = parser.parse_args()
    if not arguments.root.exists():
        parser.error(f"--root {arguments.root}: isn't there")
    if arguments.csv.is_dir():
        parser.error(f"--csv {arguments.csv}: is a folder; name a file")
    arguments.device = parser.find_device(arguments.device)
    return arguments


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
