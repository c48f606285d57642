"""Label smoothing, clipping, an average and dropped batches are a textbook loop's, by torch's own functions."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sweeper.datasets.data import load_run_data
from sweeper.engine.augment import Batches, EpochOrder
from sweeper.engine.build import build_model, build_optimizer
from tests.engine.test_loop import finish
from tests.engine.test_recipe import ALL, small


def run_textbook(config: dict) -> tuple[list[float], list[tuple[float, float]], dict[str, torch.Tensor]]:
    """Mean training losses, test losses and accuracies by epoch, and the weights that are judged."""
    data, where = load_run_data(config), torch.device("cpu")
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model = model.to(memory_format=torch.channels_last)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config["ema"] or 0.0), use_buffers=True)
    averaged.update_parameters(model)
    optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
    batches, order = Batches(data, config["dataset"]["crop_padding"], config["dataset"]["flip"], where), None
    order = EpochOrder(len(batches), batches.padding, where)
    epochs, tests = [], []

    def compute_gradients(images: torch.Tensor, labels: torch.Tensor) -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels, label_smoothing=config["label_smoothing"] or 0.0)
        loss.backward()
        return loss.item()

    for epoch in range(1, config["epochs"] + 1):
        model.train()
        order.draw(config["seed"], epoch)
        losses, sizes = [], []
        for places in torch.arange(len(batches)).split(config["batch_size"]):
            if len(places) < config["batch_size"] and config["drop_last"]:
                continue
            images, labels, _ = batches.take(order, places)
            images = images.contiguous(memory_format=torch.channels_last)
            losses.append(compute_gradients(images, labels))
            sizes.append(len(places))
            if config["optimizer"]["name"] == "sam":
                sam_step(config, model, lambda images=images, labels=labels: compute_gradients(images, labels))
            else:
                if config["clip_grad_norm"]:
                    nn.utils.clip_grad_norm_(model.parameters(), config["clip_grad_norm"])
                optimizer.step()
            averaged.update_parameters(model)
        epochs.append(sum(a * b for a, b in zip(losses, sizes, strict=True)) / sum(sizes))
        judged = (averaged.module if config["ema"] else model).eval()
        with torch.no_grad():
            images = batches.normalize(data.test.images).contiguous(memory_format=torch.channels_last)
            logits = judged(images)
        right = (logits.argmax(1) == data.test.labels).double().mean().item()
        tests.append((functional.cross_entropy(logits, data.test.labels).item(), right))
    return epochs, tests, judged.state_dict()


def sam_step(config: dict, model: nn.Module, compute_gradients) -> None:
    """SAM over plain SGD: only the gradients at the worst weights nearby are clipped."""
    params, rho, lr = list(model.parameters()), config["optimizer"]["rho"], config["optimizer"]["lr"]
    statistics = [buffer.clone() for buffer in model.buffers()]
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in params]).norm()
        here = [p.clone() for p in params]
        for p in params:
            p.add_(p.grad, alpha=(rho / norm).item())
    compute_gradients()
    if config["clip_grad_norm"]:
        nn.utils.clip_grad_norm_(params, config["clip_grad_norm"])
    with torch.no_grad():
        for p, own in zip(params, here, strict=True):
            p.copy_(own).sub_(p.grad, alpha=lr)
        for buffer, before in zip(model.buffers(), statistics, strict=True):
            buffer.copy_(before)


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [("sgd", ()), *(("sgd", (option,)) for option in ALL), ("sgd", ALL), ("adamw", ALL), ("sam", ALL)],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else value,
)
def test_a_run_is_the_textbooks(optimizer, options, tmp_path):
    plain = ("optimizer.momentum=0", "optimizer.weight_decay=0", "optimizer.lr=0.1") if optimizer == "sam" else ()
    config = small(f"optimizer={optimizer}", *plain, *options)
    losses, tests, weights = run_textbook(config)
    rows = finish(config, tmp_path)
    assert [row["train_loss"] for row in rows] == pytest.approx(losses, rel=1e-4)
    assert [row["test_loss"] for row in rows] == pytest.approx([loss for loss, _ in tests], rel=1e-4)
    assert [row["test_accuracy"] for row in rows] == pytest.approx([accuracy for _, accuracy in tests], abs=0.003)
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == weights.keys()
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(saved[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    if options:  # so the comparison can fail
        others = finish(small(f"optimizer={optimizer}", *plain), tmp_path / "off")
        assert others[-1]["test_loss"] != pytest.approx(tests[-1][0], rel=1e-3)
