"""The kernels are the plain composition in fp64."""

import copy

import pytest
import torch
from interpreted import DEVICE, TOLERANCE, in_the_interpreter, on_a_gpu
from torch import nn

from sweeper.engine.kernels.batch_norm import plain, suits

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


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize(("with_residual", "relu", "twice"), WAYS)
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*((shape, torch.bfloat16) for shape in REAL), (RAGGED[0], torch.float16), (REAL[1], torch.float32)],
)
def test_kernels_on_a_gpu(shape, dtype, with_residual, relu, twice):
    check_against_plain(shape, dtype, with_residual, relu, twice)
