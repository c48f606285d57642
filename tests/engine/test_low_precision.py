"""Weights cast once a step give what autocast gives, to the bit."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.engine.low_precision import LowPrecisionWeights


def model() -> nn.Module:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 8, 3, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))


def check(device: str, dtype: torch.dtype) -> None:
    images, labels = torch.randn(6, 3, 8, 8).to(device), torch.arange(6).to(device) % 4
    results = []
    for ours in (True, False):
        net = model().to(device)
        copies = LowPrecisionWeights(net, dtype)
        with torch.autocast(device, dtype=dtype):
            logits = copies(images) if ours else net(images)
        functional.cross_entropy(logits.float(), labels).backward()
        if ours:
            copies.move_gradients()
        results.append([logits, *(p.grad for p in net.parameters()), *net.buffers()])
        assert all(p.grad.dtype == torch.float32 for p in net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_on_the_cpu():
    check("cpu", torch.bfloat16)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_on_a_gpu(dtype):
    torch.backends.cudnn.deterministic = True
    try:
        check("cuda", dtype)
    finally:
        torch.backends.cudnn.deterministic = False


def test_only_what_autocast_casts_is_copied():
    assert list(LowPrecisionWeights(model(), torch.bfloat16).copies) == ["0.weight", "4.weight", "4.bias"]
