"""What the loop gives to optimizers that compute gradients anew within a step."""

import pytest
import torch

from sweeper.datasets.data import load_run_data
from sweeper.system.errors import BadInput
from tests.engine.test_averaging import make_step
from tests.engine.test_loop import configure, finish


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


@pytest.mark.parametrize("optimizer", ["sgd", "sam", "sophia"])
def test_a_model_that_alters_its_input_trains_as_one_that_does_not(optimizer, tmp_path):
    """And the images of the data set stay as they are."""
    ends = []
    for in_place in (True, False):
        config = configure(f"optimizer={optimizer}", "epochs=1")
        config["model"] = {"name": "own", "_target_": "odd_optimizers.Altering", "in_place": in_place}
        data = load_run_data(config)
        before = data.train.images.clone(), data.test.images.clone()
        rows = finish(config, tmp_path / str(in_place))
        ends.append((rows, (tmp_path / str(in_place) / "model.safetensors").read_bytes()))
        assert torch.equal(data.train.images, before[0]) and torch.equal(data.test.images, before[1])
    assert ends[0] == ends[1]
