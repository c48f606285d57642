"""`python -m benchmarks.batch_norm`: microseconds of batch norm with residual and ReLU, forward and backward, on CUDA.

For each activation of ResNet-18 it times torch's operators, the same compiled, and our kernels; each inside a CUDA
graph of 20 calls over buffers that together exceed the L2 cache. Traffic is what our kernels must move, in passes over
the activation: two reads of x and a write forward, and five passes backward; with a residual one more forward and two
more backward. So GB/s above the memory's own tell of reads that the L2 cache served. With two readers y has two
gradients, which torch adds in a kernel of its own.
"""

import functools
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from benchmarks.command_line import Parser, count, seconds
from sweeper.engine.kernels.batch_norm import batch_norm, batch_norm_for_two, plain
from sweeper.engine.kernels.triton import triton_serves

Tensor = torch.Tensor
Call = Callable[[int], Any]

CALLS = 20  # in a graph
L2_BYTES = 50_000_000
STAGES = ((64, 32), (128, 16), (256, 8), (512, 4))  # channels, side
WAYS = (  # with a residual, ReLU, readers
    (False, True, 1),
    (True, True, 1),
    (False, True, 2),
    (True, True, 2),
    (False, False, 1),
)


def main() -> int:
    parser = Parser("batch_norm", __doc__)
    parser.add_argument("--batch-size", type=count, default=128)
    channels = [channels for channels, _ in STAGES]
    parser.add_argument("--channels", type=int, choices=channels, nargs="*", help="only these stages")
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--seconds", type=seconds, default=80, help="after these nothing more is compiled")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("benchmarks.batch_norm: no NVIDIA GPU here", file=sys.stderr)
        return 2
    if not triton_serves(torch.device("cuda", torch.cuda.current_device())):
        print("benchmarks.batch_norm: no Triton, C compiler, Python.h or GPU of 8.0 and later here", file=sys.stderr)
        return 2
    print(torch.cuda.get_device_name(), "torch", torch.__version__, arguments.dtype, "batch", arguments.batch_size)
    shapes = [
        (arguments.batch_size, c, side, side)
        for c, side in STAGES
        if not arguments.channels or c in arguments.channels
    ]  # fmt: skip
    dtype = getattr(torch, arguments.dtype)
    failed = False
    end = time.perf_counter() + arguments.seconds
    print(f"{'shape':>18} {'way':>22} {'who':>9} {'µs':>8} {'GB/s':>6} {'torch ÷':>8}")
    for shape in shapes:
        for with_residual, relu, readers in WAYS:
            compiled = relu and not arguments.no_compile and time.perf_counter() < end
            try:
                compare(shape, dtype, with_residual, relu, readers, compiled)
            except Exception:  # compilers and drivers raise many kinds; the next one gets its turn
                failed = True
                print(f"{shape}, residual {with_residual}, ReLU {relu}, {readers} readers: failed", flush=True)
                traceback.print_exc(limit=-4, file=sys.stdout)
    return int(failed)


def compare(
    shape: Sequence[int], dtype: torch.dtype, with_residual: bool, relu: bool, readers: int, compiled: bool
) -> None:
    """Print a line for each implementation."""
    norm = nn.BatchNorm2d(shape[1]).cuda()
    xs, dys, others = (made(shape, dtype, gradient=name == "x") for name in ("x", "dy", "dy2"))
    residuals = made(shape, dtype, gradient=True) if with_residual else None

    def call(forward: Callable[..., Any], k: int) -> Any:
        x, residual = xs[k % len(xs)], residuals[k % len(xs)] if residuals else None
        y = forward(x, residual, relu)
        ys = y if isinstance(y, tuple) else [y.view_as(y) for _ in range(readers)]
        inputs = [t for t in (x, norm.weight, norm.bias, residual) if t is not None]
        return torch.autograd.grad(ys, inputs, [dys[k % len(xs)], others[k % len(xs)]][:readers])

    ways: dict[str, Callable[..., Any]] = {"torch": functools.partial(plain, norm)}
    ways["ours"] = functools.partial(batch_norm if readers == 1 else batch_norm_for_two, norm)
    if compiled:
        ways["compiled"] = torch.compile(ways["torch"], dynamic=False)
    passes = 8 + 3 * with_residual + (readers - 1) * (1 if with_residual else 2)
    moved = passes * xs[0].numel() * xs[0].element_size()
    way = f"{'+residual ' if with_residual else ''}{'relu' if relu else ''}{' 2 readers' if readers == 2 else ''}"
    baseline = None
    for who, forward in ways.items():
        try:
            microseconds = time_in_graph(functools.partial(call, forward))
        except Exception as error:
            print(f"{'×'.join(map(str, shape)):>18} {way:>22} {who}: {type(error).__name__}: {error}")
            torch.cuda.synchronize()
            continue
        baseline = baseline or microseconds
        print(
            f"{'×'.join(map(str, shape)):>18} {way:>22} {who:>9} {microseconds:8.1f} "
            f"{moved / microseconds / 1e3:6.0f} {baseline / microseconds:8.2f}",
            flush=True,
        )


def made(shape: Sequence[int], dtype: torch.dtype, gradient: bool = False) -> list[Tensor]:
    """Random activations, as many as exceed the L2 cache twice, but no more than there are calls."""
    bytes_each = torch.Size(shape).numel() * dtype.itemsize
    count = min(CALLS, max(2, 2 * L2_BYTES // bytes_each + 1))
    one = torch.randn(tuple(shape), device="cuda", dtype=dtype).to(memory_format=torch.channels_last)
    return [one.clone().requires_grad_(gradient) for _ in range(count)]


def time_in_graph(call: Call, repetitions: int = 10) -> float:
    """Microseconds of one call, the median over replays of a graph of `CALLS` calls."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for k in range(3):
            call(k)
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for k in range(CALLS):
            call(k)
    graph.replay()
    times = []
    for _ in range(repetitions):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000 / CALLS)
    graph.reset()
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    sys.exit(main())
