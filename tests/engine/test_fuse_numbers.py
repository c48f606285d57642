"""Fused blocks change no number: on the CPU no bit, by the kernels nothing but rounding.

Without a GPU the kernels run in Triton's interpreter, in a process of its own.
"""

import copy

import pytest
import torch
from interpreted import in_the_interpreter, on_a_gpu
from networks import fused, images, made
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from sweeper.engine.devices import choose_device
from sweeper.engine.fuse import Fused, forward_passes
from sweeper.engine.kernels import batch_norm
from sweeper.engine.low_precision import LowPrecisionWeights


def trained(net: nn.Module, forward: nn.Module, given: torch.Tensor) -> list[torch.Tensor]:
    """Logits, gradients and state of a step."""
    logits = forward(given)
    gradients = torch.autograd.grad(logits.square().mean(), list(net.parameters()))
    return [logits.detach(), *gradients, *net.state_dict().values()]


@pytest.mark.parametrize("name", ["resnet20", "torchvision", "bottlenecks", "timm", "wide"])
def test_on_the_cpu_fused_blocks_give_the_models_bits(name):
    net = made(name)
    twin = copy.deepcopy(net)
    ours, theirs = trained(twin, fused(twin), images()), trained(net, net, images())
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    evaluated = fused(twin, training=False)
    with torch.no_grad():
        assert torch.equal(evaluated(images()), net.eval()(images()))
    assert all(torch.equal(a, b) for a, b in zip(twin.buffers(), net.buffers(), strict=True))


def test_low_precision_weights_of_fused_blocks_are_those_of_the_model():
    def gradients(net, forward):
        step = LowPrecisionWeights(forward, torch.bfloat16)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = step(images())
        functional.cross_entropy(logits.float(), torch.arange(4)).backward()
        step.move_gradients()
        return {name: p.grad for name, p in net.named_parameters()}

    net, twin = made("timm"), made("timm")
    ours, theirs = gradients(twin, fused(twin)), gradients(net, net)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.fixture
def launched(monkeypatch) -> list[tuple[str, bool]]:
    """Names of batch norm's kernels as they are launched, each with whether it adds two gradients."""
    from sweeper.engine.kernels import batch_norm_kernels as kernels

    launched, launch = [], kernels._launch

    def note(kernel, tiling, *arguments, **constants):
        name = kernel.fn.__name__
        launched.append((name, name == "gradient_sums_kernel" and arguments[1] is not None))
        launch(kernel, tiling, *arguments, **constants)

    monkeypatch.setattr(kernels, "_launch", note)
    return launched


class Added(TorchDispatchMode):
    """The shapes of activations that torch adds while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[torch.Size] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if str(function).startswith("aten.add") and isinstance(args[0], torch.Tensor) and args[0].ndim == 4:
            self.shapes.append(args[0].shape)
        return function(*args, **(kwargs or {}))


@in_the_interpreter
@pytest.mark.parametrize(("name", "for_two"), [("resnet20", 9), ("torchvision", 4), ("timm", 3)])
def test_a_network_with_the_kernels_is_the_network_without(name, for_two, monkeypatch, launched):
    net = made(name)
    twin = copy.deepcopy(net).double()
    expected = torch.autograd.grad(twin(images().double()).square().mean(), list(twin.parameters()))
    forward = fused(net)
    monkeypatch.setattr(batch_norm, "_has_kernels_for", batch_norm.suits)
    logits = forward(images())
    with Added() as added:
        gradients = torch.autograd.grad(logits.square().mean(), list(net.parameters()))
    assert added.shapes == []
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    names = [kernel for kernel, _ in launched]
    assert names[: 2 * norms] == ["statistics_kernel", "normalize_kernel"] * norms
    assert names[2 * norms :] == ["gradient_sums_kernel", "input_gradient_kernel"] * norms
    assert sum(adds for _, adds in launched) == for_two
    for ours, theirs in zip(gradients, expected, strict=True):
        error = (ours.double() - theirs).abs().max() / theirs.abs().max().clamp(min=1e-3)
        assert error < 1.6e-2  # through 19 layers fp32 itself is no closer to fp64 than 1e-3


CUDA = {"kind": "cuda", "compile": "auto", "deterministic": False, "precision": "bf16"}


def in_bf16(net: nn.Module, forward: nn.Module, given: torch.Tensor) -> list[torch.Tensor]:
    """Logits and gradients of a step as the engine does it, or logits alone in evaluation."""
    if not net.training:
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
            return [forward(given).float()]
    step = LowPrecisionWeights(forward, torch.bfloat16)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        logits = step(given)
    functional.cross_entropy(logits.float(), torch.arange(len(given), device="cuda") % 10).backward()
    step.move_gradients()
    gradients = [p.grad for p in net.parameters()]
    net.zero_grad()
    return [logits.detach().float(), *gradients]


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["resnet18", "torchvision_resnet18"])
def test_on_a_gpu_fused_blocks_are_no_further_from_fp64_than_torchs_operators(name, training, launched):
    """By the root mean square over eight batches: of one batch the first layers' distances scatter so much that torch's
    own operators, on images that differ by a thousandth, may break this bound against themselves."""
    net = made(name).cuda().train(training)
    passes = forward_passes(net, choose_device(CUDA, threads=1), (3, 32, 32))
    assert isinstance(passes.training, Fused) and isinstance(passes.evaluation, Fused)
    of_batches = []
    for given in images(8 * 64, (3, 32, 32)).cuda().split(64):
        twin = copy.deepcopy(net).double()
        exact = [twin(given.double())]
        if training:
            loss = functional.cross_entropy(exact[0], torch.arange(64, device="cuda") % 10)
            exact += torch.autograd.grad(loss, list(twin.parameters()))
        launched.clear()
        ours = in_bf16(net, passes.training if training else passes.evaluation, given)
        names = [kernel for kernel, _ in launched]
        expected = {"normalize_kernel": 20}
        if training:
            expected |= {"statistics_kernel": 20, "gradient_sums_kernel": 20, "input_gradient_kernel": 20}
        assert {kernel: names.count(kernel) for kernel in names} == expected
        assert sum(adds for _, adds in launched) == (8 if training else 0)
        theirs = in_bf16(net, net, given)
        of_batches.append([[distance(one[k], truth) for one in (ours, theirs)] for k, truth in enumerate(exact)])
    for k, (ours, theirs) in enumerate(torch.tensor(of_batches).square().mean(dim=0).sqrt().tolist()):
        assert ours < 1.25 * theirs + 0.01, f"tensor {k}: {ours}, {theirs}"


def distance(found: torch.Tensor, truth: torch.Tensor) -> float:
    return ((found.double() - truth).norm() / truth.norm()).item()


@pytest.mark.cuda
@on_a_gpu
def test_on_a_gpu_a_model_that_cannot_be_traced_stays_as_it_is():
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 10, 3), nn.BatchNorm2d(10)

        def forward(self, x):
            return self.norm(self.conv(x if x.sum() > 0 else -x)).mean((2, 3))

    net = Looks().cuda()
    passes = forward_passes(net, choose_device(CUDA, threads=1), (3, 32, 32))
    assert passes.training is net and passes.evaluation is net and net.training
