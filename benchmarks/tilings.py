"""`python -m benchmarks.tilings`: batch norm's kernels with every tiling, for `sweeper/engine/kernels/tiling.py`.

Times each kernel alone, on the activations of ResNet-18 in bf16, inside a CUDA graph of 20 calls over buffers that
together exceed the L2 cache. `score` is the µs that a kernel's calls of one stage of the network take: those without a
residual (`plain`) and those with one (`residual`). Compiles in parallel first; about a minute in all. Prints the ten
best tilings over all stages and the one in use; `--csv` keeps every figure. `--model resnet20` takes its activations.
"""

import itertools
import multiprocessing
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import torch

from benchmarks.batch_norm import L2_BYTES, STAGES, time_in_graph
from benchmarks.command_line import Parser
from benchmarks.figures import write_csv
from sweeper.engine.kernels.tiling import BLOCKS, Blocks, Tiling, tiling
from sweeper.engine.kernels.triton import triton_serves
from sweeper.system.machine import cores

BATCH_SIZE = 128
ACTIVATIONS = {"resnet18": dict(STAGES), "resnet20": {16: 32, 32: 16, 64: 8}}  # channels: side
PARTS = 64  # of the first kernel, whose sums the second one reads
CALLS = {"plain": 2.5, "residual": 2.0}  # of each kernel in a stage of ResNet-18, on average
SHARED_MEMORY = 99_000  # bytes of a small GPU
COLUMNS = ("kernel", "channels", "columns", "rows", "programs", "warps", "stages", "plain_us", "residual_us", "score")

Task = tuple[str, str, int, int, Blocks]  # kernel, way, channels, side, blocks


def main() -> int:
    parser = Parser("tilings", __doc__)
    parser.add_argument("--kernel", choices=list(BLOCKS), nargs="*", default=list(BLOCKS))
    parser.add_argument("--model", choices=list(ACTIVATIONS), default="resnet18")
    parser.add_csv()
    arguments = parser.parse_args()
    if not triton_serves(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
        print("benchmarks.tilings: no NVIDIA GPU of 8.0 or later, Triton, C compiler or Python.h here", file=sys.stderr)
        return 2
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    activations = ACTIVATIONS[arguments.model]
    compile_all(arguments.kernel, activations)
    rows = [row for kernel in arguments.kernel for row in measure(kernel, activations)]
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)
    return 0


def candidates(kernel: str) -> Iterator[Blocks]:
    """Tilings of 8 to 64 values a thread and matrix whose tiles fit into shared memory."""
    matrices = 4 if kernel == "gradient_sums" else 2
    sizes = itertools.product((32, 64), (32, 64, 128, 256), (128, 256, 512, 1024), (4, 8, 16), (1, 2, 3))
    for blocks in itertools.starmap(Blocks, sizes):
        values = blocks.rows * blocks.columns / (32 * blocks.warps)
        tiles = blocks.rows * blocks.columns * 2 * blocks.stages * matrices
        if 8 <= values <= 64 and tiles <= SHARED_MEMORY:
            yield blocks


def ways(kernel: str) -> tuple[str, ...]:
    return ("plain",) if kernel == "statistics" else ("plain", "residual")


def compile_all(kernels: list[str], activations: dict[int, int]) -> None:
    """Compile every tiling once, in one process a core, into Triton's cache on disk."""
    tasks: dict[Any, Task] = {}
    for kernel, (channels, side) in itertools.product(kernels, activations.items()):
        for blocks, way in itertools.product(candidates(kernel), ways(kernel)):
            t = as_tiling(kernel, BATCH_SIZE * side * side, channels, blocks)
            tasks[kernel, way, t._replace(parts=0)] = kernel, way, channels, side, blocks
    shares = [list(tasks.values())[k :: 4 * cores()] for k in range(4 * cores())]
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(compile_some, shares))
    print(len(tasks), "compiled", flush=True)


def compile_some(tasks: list[Task]) -> None:
    activations: dict[int, Activations] = {}
    for kernel, way, channels, side, blocks in tasks:
        if channels not in activations:
            activations[channels] = Activations(channels, side, copies=1)
        activations[channels].launch(kernel, way, blocks, 0, only_compile=True)


def as_tiling(kernel: str, m: int, c: int, blocks: Blocks) -> Tiling:
    before = BLOCKS[kernel]
    BLOCKS[kernel] = blocks
    try:
        return tiling(kernel, m, c)
    finally:
        BLOCKS[kernel] = before


class Activations:
    """What the kernels of one stage read and write."""

    def __init__(self, channels: int, side: int, copies: int) -> None:
        self.m, self.c = BATCH_SIZE * side * side, channels
        shape = (BATCH_SIZE, channels, side, side)

        def activations() -> list[torch.Tensor]:
            some = [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            return [one.to(memory_format=torch.channels_last) for one in some]

        self.x, self.dy, self.dy2, self.y, self.out = (activations() for _ in range(5))
        self.vectors = [torch.rand(channels, device="cuda") + 0.1 for _ in range(8)]
        self.partials = torch.rand(2, 1024, channels, device="cuda")
        self.batches = torch.zeros((), dtype=torch.int64, device="cuda")

    def launch(self, kernel: str, way: str, blocks: Blocks, k: int, only_compile: bool = False) -> None:
        from sweeper.engine.kernels import batch_norm_kernels as kernels

        t = as_tiling(kernel, self.m, self.c, blocks)
        k %= len(self.x)
        residual = way == "residual"
        x, dy, out = self.x[k], self.dy[k], self.out[k]
        weight, bias, mean, invstd, running_mean, running_var, dweight, dbias = self.vectors
        own, partials = t.rows_a_part(self.m), self.partials
        sizes, constants = (self.m, self.c, own), {"RELU": True, "PARTS": PARTS}
        if kernel == "statistics":
            arguments: tuple[Any, ...] = (x, partials, *sizes)
            constants = {}
        elif kernel == "normalize":
            running = (running_mean, running_var, self.batches)
            read = (x, self.y[k] if residual else None, out, weight, bias, partials, mean, invstd, *running)
            arguments = (*read, self.m, self.c, -(-self.m // PARTS), own, 0.1, 1e-5)
        elif kernel == "gradient_sums":
            others = (self.dy2[k], x, self.y[k], out) if residual else (None, x, None, None)
            arguments = (dy, *others, weight, bias, mean, invstd, partials, *sizes)
            del constants["PARTS"]
        else:
            arguments = (dy, x, out, weight, bias, mean, invstd, partials, dweight, dbias, *sizes)
            constants["RELU"] = not residual
        function = getattr(kernels, f"{kernel}_kernel")
        grid = (t.parts, -(-self.c // t.columns))
        options = {"ROWS": t.rows, "COLUMNS": t.columns, "STAGES": t.stages, "num_warps": t.warps, **constants}
        if only_compile:
            function.warmup(*arguments, grid=grid, **options)
        else:
            function[grid](*arguments, **options)


def measure(kernel: str, sides: dict[int, int]) -> list[dict[str, Any]]:
    rows, totals = [], defaultdict[Blocks, list[float]](list)
    for channels, side in sides.items():
        count = max(2, min(20, 2 * L2_BYTES // (2 * BATCH_SIZE * side * side * channels) + 1))
        activations = Activations(channels, side, count)
        for blocks in dict.fromkeys([BLOCKS[kernel], *candidates(kernel)]):
            launches = {way: partial(activations.launch, kernel, way, blocks) for way in ways(kernel)}
            took = {way: time_in_graph(launch, 5) for way, launch in launches.items()}
            score = sum(CALLS[way] * us for way, us in took.items())
            totals[blocks].append(score)
            named = {"kernel": kernel, "channels": channels, **blocks._asdict(), "score": round(score, 3)}
            rows.append(named | {f"{way}_us": round(us, 3) for way, us in took.items()})
    best = sorted(totals, key=lambda blocks: sum(totals[blocks]))
    for blocks in dict.fromkeys([BLOCKS[kernel], *best[:10]]):
        figures = ", ".join(f"{score:.1f}" for score in totals[blocks])
        print(f"{kernel}: {sum(totals[blocks]):6.1f} µs ({figures}) {blocks}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
