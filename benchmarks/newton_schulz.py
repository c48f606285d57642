"""`python -m benchmarks.newton_schulz`: microseconds of Muon's step of ResNet-18's hidden weights on CUDA.

It times the textbook's step and ours, and of each its Newton-Schulz alone, each inside a CUDA graph of 20 calls.
TFLOP/s are of the textbook's products; ours computes of two of three products only half.

`--sweep` tries many sizes of tiles and prints the best, for `sweeper/engine/kernels/newton_schulz_tiles.py`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.batch_norm import time_in_graph
from benchmarks.command_line import Parser, seconds
from sweeper.engine.build import hidden_weights
from sweeper.engine.kernels.triton import triton_serves
from sweeper.models import resnet18
from sweeper.optimizers import Muon
from sweeper.optimizers.muon import orthogonalize

STEPS = 5
SIZES = {
    "symmetric": {"rows": (32, 64, 128), "depth": (32, 64, 128), "warps": (4, 8), "stages": (2, 3, 4, 5)},
    "apply": {"rows": (64, 128), "columns": (64, 128, 256), "depth": (32, 64), "warps": (4, 8), "stages": (2, 3, 4)},
    "update": {"rows": (64, 128), "columns": (64, 128), "depth": (32, 64), "warps": (4, 8), "stages": (2, 3, 4)},
    "direction": {"rows": (16, 32, 64), "columns": (64, 128), "warps": (4, 8)},
}


def main() -> int:
    parser = Parser("newton_schulz", __doc__)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--seconds", type=seconds, default=240, help="then ends the sweep")
    arguments = parser.parse_args()
    if not torch.cuda.is_available() or not triton_serves(torch.device("cuda", torch.cuda.current_device())):
        print("benchmarks.newton_schulz: no NVIDIA GPU of 8.0 and later with Triton and a C compiler", file=sys.stderr)
        return 2
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    if arguments.sweep:
        sweep(time.perf_counter() + arguments.seconds)
    else:
        compare()
    return 0


def build_muon() -> Muon:
    """Muon over the hidden weights of ResNet-18, with gradients, after its first step."""
    torch.manual_seed(0)
    model = resnet18(num_classes=10, in_channels=3, width=64).cuda().to(memory_format=torch.channels_last)
    hidden = hidden_weights(model)
    weights = [p for p in model.parameters() if p in hidden]
    options: dict[str, Any] = {"weight_decay": 0.01, "momentum": 0.95, "nesterov": True, "newton_schulz_steps": STEPS}
    others = {"adamw_lr": 0.003, "adamw_betas": [0.9, 0.95], "adamw_eps": 1e-10, "adamw_weight_decay": 0.0}
    optimizer = Muon([{"params": weights, "role": "hidden"}], lr=0.02, **options, **others)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.02, device="cuda")
    for p in weights:
        p.grad = torch.randn_like(p)
    optimizer.step()
    return optimizer


def compare() -> None:
    from sweeper.engine.kernels.muon_kernels import HiddenGroup

    optimizer = build_muon()
    group = HiddenGroup(optimizer, 0)
    weights, products = group.params, group.products
    directions = [p.grad for p in weights if p.grad is not None]
    shapes = [(p.shape[0], p[0].numel()) for p in weights]
    flops = sum(STEPS * 2 * (2 * min(m) ** 2 * max(m) + min(m) ** 3) for m in shapes)
    options = optimizer.param_groups[0]
    group.step()
    calls: dict[str, Callable[[int], Any]] = {
        "textbook's step": lambda _: optimizer.step(),
        "our step": lambda _: group.step(),
        "textbook's Newton-Schulz": lambda _: orthogonalize(directions, STEPS),
        "our Newton-Schulz, with the update": lambda _: products.run(STEPS, group.addresses.table, options["lr"], 0.01),
    }
    for name, call in calls.items():
        microseconds = time_in_graph(call)
        print(f"{name:>36} {microseconds:8.1f} µs {flops / microseconds / 1e6:6.0f} TFLOP/s", flush=True)
    print(f"difference of the updates, relative: {difference(optimizer, group):.4f}")


def difference(optimizer: Muon, group: Any) -> float:
    """The largest relative difference of a weight's change in a step, the textbook's and ours."""
    tensors = [*group.params, *group.state("momentum_buffer")]
    before = [t.detach().clone() for t in tensors]
    ends = []
    for step in (optimizer.step, group.step):
        with torch.no_grad():
            torch._foreach_copy_(tensors, before)
        step()
        ends.append([p.detach() - old for p, old in zip(group.params, before, strict=False)])
    return max(((a - b).norm() / a.norm()).item() for a, b in zip(*ends, strict=True))


def sweep(deadline: float) -> None:
    """Print the best tile of each kernel, found one size after the other, by the time of the whole step."""
    from sweeper.engine.kernels.muon_kernels import HiddenGroup
    from sweeper.engine.kernels.newton_schulz_tiles import TILES

    optimizer, best = build_muon(), TILES
    found: dict[Any, float] = {}

    def measure(tiles: Any) -> None:
        if tiles in found or tiles.symmetric.rows != tiles.symmetric.columns:
            return
        try:
            group = HiddenGroup(optimizer, 0, tiles=tiles)
            found[tiles] = time_in_graph(lambda _: group.step(), 5)
        except Exception as error:  # compilers and drivers raise many kinds
            print(f"{tiles}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
            torch.cuda.synchronize()

    measure(best)
    for kernel, sizes in SIZES.items():
        before = found[best]
        for size, values in sizes.items():
            for value in values:
                if time.perf_counter() > deadline:
                    print(f"{kernel}: out of time at {size}={value}")
                    break
                changed = {size: value, **({"columns": value} if (kernel, size) == ("symmetric", "rows") else {})}
                measure(best._replace(**{kernel: getattr(best, kernel)._replace(**changed)}))
            best = min(found, key=found.__getitem__)
        print(
            f"{before:7.1f} → {found[best]:7.1f} µs of {len(found):3}: {kernel} = {getattr(best, kernel)}", flush=True
        )
    print(best)


if __name__ == "__main__":
    sys.exit(main())
