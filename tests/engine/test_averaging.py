"""Optimizers with two sets of weights: judged at their average, trained on as if nobody had looked."""

import pytest
import torch
from torch import nn

from sweeper.datasets.data import load_run_data
from sweeper.engine.augment import EpochOrder, build_batches
from sweeper.engine.averaging import as_judged, begin_training
from sweeper.engine.build import build_model, build_optimizer
from sweeper.engine.devices import choose_device
from sweeper.engine.meter import Meter
from sweeper.engine.step import Step
from tests.engine.test_loop import configure

schedulefree = pytest.importorskip("schedulefree")


def make_step(*overrides: str) -> Step:
    config = configure("model=cnn", *overrides)
    data, where = load_run_data(config), torch.device("cpu")
    model = build_model(config["model"], data.image_shape, len(data.classes), seed=1)
    optimizer = build_optimizer(config["optimizer"], model, decay_norms_and_biases=False)
    batches = build_batches(data, config["dataset"]["crop_padding"], config["dataset"]["flip"], where)
    order = EpochOrder(len(batches), batches.padding, where)
    order.draw(1, epoch=1)
    size = config["batch_size"]
    steps = len(batches) // size
    device = choose_device(config["device"], threads=1)
    return Step(model, optimizer, batches, order, Meter([size] * steps, data.corrupted, where), device, size)


def trained(*overrides: str) -> Step:
    step = make_step(*overrides)
    begin_training(step.optimizer)
    for _ in range(2):
        step.run(step.batch_size)
    return step


def test_looking_changes_nothing_that_is_trained_on():
    step = trained("optimizer=schedule_free_sgd")
    before = {name: tensor.clone() for name, tensor in step.model.state_dict().items()}
    with as_judged(step.model, step.optimizer, step):
        assert not step.model.training and not step.optimizer.param_groups[0]["train_mode"]
    assert step.optimizer.param_groups[0]["train_mode"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.model.state_dict().items())


def test_weights_are_judged_at_the_average_of_the_paper():
    """x = y + (1 - 1/β)(z - y), from y = (1 - β) z + β x (arXiv 2405.15682, equation 7)."""
    step = trained("optimizer=schedule_free_sgd")
    weight = next(step.model.parameters())
    y, z = weight.detach().clone(), step.optimizer.state[weight]["z"].clone()
    with as_judged(step.model, step.optimizer, step):
        x = weight.detach().clone()
    torch.testing.assert_close(0.1 * z + 0.9 * x, y)
    assert not torch.equal(x, y)


def test_running_statistics_are_those_of_the_judged_weights():
    step = trained("optimizer=schedule_free_sgd")
    norm = next(m for m in step.model.modules() if isinstance(m, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    with as_judged(step.model, step.optimizer, step):
        mean = norm.running_mean.clone()
        norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((0, 2, 3))))
        step.model.train()
        for _ in step.forward_batches(50):
            pass
        step.model.eval()
    torch.testing.assert_close(mean, torch.stack(seen).mean(0))
    assert norm.momentum == 0.1


def test_an_optimizer_with_one_set_is_judged_where_it_stands():
    step = trained("optimizer=sgd")
    before = {name: tensor.clone() for name, tensor in step.model.state_dict().items()}
    with as_judged(step.model, step.optimizer, step):
        assert not step.model.training
        assert all(torch.equal(tensor, before[name]) for name, tensor in step.model.state_dict().items())


@pytest.mark.parametrize("optimizer", ["sgd", "schedule_free_sgd"])
def test_a_replayed_evaluation_leaves_the_model_in_training_mode(optimizer):
    step = trained(f"optimizer={optimizer}")
    step.model.train()
    with as_judged(step.model, step.optimizer, step):
        assert not any(layer.training for layer in step.model.modules())
    step.model.train()
    with as_judged(step.model, step.optimizer, step, replayed=True):
        pass
    assert all(layer.training for layer in step.model.modules())
