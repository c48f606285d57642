"""What the loop gives to optimizers that compute gradients anew within a step."""

import pytest
import torch

from sweeper.system.errors import BadInput
from tests.engine.test_averaging import make_step


def test_the_closure_is_the_same_batch_at_the_present_weights():
    step = make_step("optimizer=sam", "epochs=1")
    step.differentiate(step.batch_size)
    first = [p.grad.clone() for p in step.model.parameters()]
    statistics = [buffer.clone() for buffer in step.model.buffers()]
    step.again()
    again = [p.grad for p in step.model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(statistics, step.model.buffers(), strict=True))
    step.again(guess=True)
    assert not all(torch.equal(p.grad, g) for p, g in zip(step.model.parameters(), first, strict=True))


def test_loss_scaling_is_refused(monkeypatch):
    import sweeper.engine.devices

    monkeypatch.setattr(sweeper.engine.devices, "_precision", lambda kind, asked: "fp16")
    with pytest.raises(BadInput, match=r"^device\.precision=fp16: this optimizer computes gradients again"):
        make_step("optimizer=sam")
