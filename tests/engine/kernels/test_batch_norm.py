"""Who gets the kernels; everyone else gets torch's batch norm to the bit."""

import copy

import pytest
import torch
from interpreted import on_a_gpu
from torch import nn

from sweeper.engine.kernels.batch_norm import batch_norm, batch_norm_for_two, plain, suits
from tests.engine.kernels.test_batch_norm_kernels import made


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
