"""Our batch norm is torch's: the kernels against the plain composition in fp64, and who gets the kernels.

Without a GPU the kernels run in Triton's interpreter, in a process of its own.
"""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from sweeper.engine.kernels.batch_norm import batch_norm, batch_norm_for_two, plain, suits

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

in_the_interpreter = pytest.mark.skipif(
    not INTERPRETED, reason="run in a process of its own by test_in_the_interpreter"
)

# Relative to each tensor's largest value: fp32 rounds at 6e-8, fp16 at 5e-4, bf16 at 4e-3.
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
RAGGED = [(3, 64, 5, 5), (2, 20, 3, 4), (2, 3, 9, 16), (1, 4, 3, 3)]
REAL = [(128, 64, 32, 32), (128, 128, 16, 16), (128, 256, 8, 8), (128, 512, 4, 4), (80, 64, 32, 32)]
WAYS = [(False, False, False), (False, True, False), (True, False, False), (True, True, False), (True, True, True)]


def made(shape, dtype, mean=0.0, seed=1):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + mean
    return values.to(DEVICE, dtype, memory_format=torch.channels_last)


def make_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    generator = torch.Generator().manual_seed(channels)
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            tensor.copy_(torch.rand(channels, generator=generator) + 0.5)
    return norm.to(DEVICE)


def by_kernels(norm, x, residual, relu, twice=False):
    from sweeper.engine.kernels import batch_norm_kernels as kernels

    assert suits(norm, x, residual)
    return kernels.BatchNorm.apply(x, norm.weight, norm.bias, residual, norm, relu, twice)


def results(forward, norm, x, residual, dy):
    """y, the gradients of all inputs, and the state after it."""
    inputs = [t for t in (x, residual) if t is not None]
    inputs = [t.detach().clone().requires_grad_() for t in inputs]
    y = forward(norm, inputs[0], inputs[1] if residual is not None else None)
    gradients = torch.autograd.grad(y, [*inputs, norm.weight, norm.bias], dy)
    return [(y[0] if isinstance(y, tuple) else y).detach(), *gradients, *norm.state_dict().values()]


def assert_close(ours, theirs, dtype):
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape
        error = (a.double() - b.double()).abs().max() / b.double().abs().max().clamp(min=1e-3)
        assert error < TOLERANCE[dtype], f"tensor {k}: relative error {error:.2e}"


def check_against_plain(shape, dtype, with_residual, relu, twice=False, mean=0.0):
    x, dy = made(shape, dtype, mean), made(shape, dtype, seed=2)
    residual = made(shape, dtype, seed=3) if with_residual else None
    norm = make_norm(shape[1])
    twin = copy.deepcopy(norm).double()
    run = lambda: results(  # noqa: E731
        lambda n, *inputs: by_kernels(n, *inputs, relu, twice),
        copy.deepcopy(norm), x, residual, (dy, dy.flip(0)) if twice else dy,
    )  # fmt: skip
    ours, again = run(), run()
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True)), "the same input gives the same bits"
    assert ours[0].dtype == dtype and ours[0].is_contiguous(memory_format=torch.channels_last)
    # Where rounding to `dtype` decides which side of ReLU a value is on, the gradients may differ: take our side.
    wide = None if residual is None else residual.double()
    total = dy.double() + dy.flip(0).double() if twice else dy.double()
    if relu:
        total = torch.where(ours[0] > 0, total, 0.0)
    theirs = results(plain, twin, x.double(), wide, total)
    theirs[0] = theirs[0].relu() if relu else theirs[0]
    assert_close(ours, theirs, dtype)


@in_the_interpreter
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize(
    ("shape", "dtype"), [*((shape, torch.float32) for shape in RAGGED), (RAGGED[0], torch.bfloat16)]
)
def test_kernels_are_the_plain_composition(shape, dtype, with_residual, relu):
    check_against_plain(shape, dtype, with_residual, relu)


@in_the_interpreter
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_residual", [False, True])
def test_the_gradients_of_two_readers_are_added(with_residual, relu):
    check_against_plain((3, 20, 5, 5), torch.float32, with_residual, relu, twice=True)


@in_the_interpreter
def test_a_mean_far_from_zero_leaves_the_variance_its_digits():
    """A sum of squares in fp32 would leave nothing of a variance of 1 beside a mean of 3,000."""
    x = made((4, 16, 8, 8), torch.float32, mean=3000.0)
    norm = make_norm(16)
    y = by_kernels(norm, x, None, False)
    expected = copy.deepcopy(norm).double()(x.double())
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=2e-3)  # x itself is rounded at 1e-4


@in_the_interpreter
def test_what_is_not_a_number_is_not_hidden():
    x = made((2, 4, 3, 3), torch.float32)
    x[1, 2, 0, 0] = float("nan")
    assert by_kernels(make_norm(4), x, None, True).isnan().any((0, 2, 3)).tolist() == [False, False, True, False]


@in_the_interpreter
@pytest.mark.parametrize("with_residual", [False, True])
def test_evaluation_is_one_kernel(with_residual):
    from sweeper.engine.kernels import batch_norm_kernels as kernels

    x = made((3, 20, 5, 5), torch.float32)
    residual = made((3, 20, 5, 5), torch.float32) if with_residual else None
    norm = make_norm(20).eval()
    before = copy.deepcopy(norm.state_dict())
    with torch.no_grad():
        y = kernels.normalize(x, residual, norm, relu=True)
        torch.testing.assert_close(y, plain(norm, x, residual, relu=True), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[k], v) for k, v in norm.state_dict().items())


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_in_the_interpreter():
    """All tests above, on the CPU."""
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "pytest", __file__, "-m", "not cuda", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_without_a_gpu_no_triton_is_needed():
    code = "import sys; sys.modules['triton'] = None; import sweeper.models, sweeper.engine.loop"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_on_the_cpu_it_is_torchs_operators_bit_for_bit():
    ours, theirs = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    x, residual = torch.randn(2, 3, 5, 4, 4)
    assert torch.equal(batch_norm(ours, x, residual, relu=True), (theirs(x) + residual).relu())
    assert torch.equal(batch_norm(ours, x), theirs(x))
    y, same = batch_norm_for_two(ours, x, residual)
    assert same is y and torch.equal(y, theirs(x) + residual)
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


@pytest.mark.parametrize(
    ("why", "options", "x", "residual"),
    [
        ("it suits", {}, (2, 4, 3, 3), (2, 4, 3, 3)),
        ("no weights", {"affine": False}, (2, 4, 3, 3), None),
        ("no running statistics", {"track_running_stats": False}, (2, 4, 3, 3), None),
        ("a cumulative average", {"momentum": None}, (2, 4, 3, 3), None),
        ("one value a channel", {}, (1, 4, 1, 1), None),
        ("nothing", {}, (0, 4, 3, 3), None),
        ("a residual to broadcast", {}, (2, 4, 3, 3), (1, 4, 3, 3)),
        ("a number for a residual", {}, (2, 4, 3, 3), 1),
    ],
)
def test_what_the_kernels_do_not_serve_goes_to_torch(why, options, x, residual):
    norm = nn.BatchNorm2d(4, **options)
    x = torch.randn(x).to(memory_format=torch.channels_last)
    if isinstance(residual, tuple):
        residual = torch.randn(residual).to(memory_format=torch.channels_last)
    assert suits(norm, x, residual) == (why == "it suits"), why


def test_the_kernels_need_one_order_and_one_type():
    norm = nn.BatchNorm2d(4)
    x = torch.randn(2, 4, 3, 3)
    matrix = x.to(memory_format=torch.channels_last)
    assert suits(norm, matrix, None) and not suits(norm, x, None) and not suits(norm, matrix, x)
    assert not suits(norm, matrix.double(), None) and not suits(norm, matrix.bfloat16(), matrix)
    assert suits(norm, matrix.bfloat16(), matrix.bfloat16())
    norm.eval()
    assert not suits(norm, matrix, None), "no backward in evaluation"
    with torch.no_grad():
        assert suits(norm, matrix, None)


on_a_gpu = pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize(("with_residual", "relu", "twice"), WAYS)
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*((shape, torch.bfloat16) for shape in REAL), (RAGGED[0], torch.float16), (REAL[1], torch.float32)],
)
def test_kernels_on_a_gpu(shape, dtype, with_residual, relu, twice):
    check_against_plain(shape, dtype, with_residual, relu, twice)


@pytest.mark.cuda
@on_a_gpu
def test_a_training_step_in_a_graph_on_a_gpu():
    """A replayed graph computes what the same calls compute one by one, running statistics and their count included."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)).cuda()
    block = block.to(memory_format=torch.channels_last)
    twin = copy.deepcopy(block)
    x = made((8, 16, 8, 8), torch.float32)

    def step(net):
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with flags, torch.autocast("cuda", dtype=torch.bfloat16):
            y = batch_norm(net[1], net[0](x), residual=x.bfloat16(), relu=True)
            assert y.dtype == torch.bfloat16
            return torch.autograd.grad(y.float().square().mean(), list(net.parameters()))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step(block)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        captured = step(block)
    graph.replay()
    graph.replay()
    expected = [step(twin) for _ in range(3)][-1]
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(captured, expected, strict=True))
    assert int(block[1].num_batches_tracked) == 3
    assert all(torch.equal(a, b) for a, b in zip(block.buffers(), twin.buffers(), strict=True))


@pytest.mark.cuda
@on_a_gpu
def test_norms_take_the_kernels_on_a_gpu():
    x = made((4, 16, 8, 8), torch.bfloat16)
    norm = nn.BatchNorm2d(16).cuda()
    assert type(batch_norm(norm, x).grad_fn).__name__ == "BatchNormBackward"
    assert type(batch_norm(norm, x.contiguous()).grad_fn).__name__ != "BatchNormBackward"
    y, too = batch_norm_for_two(norm, x)
    assert y.data_ptr() == too.data_ptr() and y.grad_fn is too.grad_fn
    norm.eval()
    with torch.no_grad():
        torch.testing.assert_close(batch_norm(norm, x, x, True), plain(norm, x, x, True), rtol=2e-2, atol=2e-2)
