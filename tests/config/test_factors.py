"""Factors resolve into an optimizer's values, on two axes: the learning rate, and how fast weights shrink."""

import pytest

from sweeper.config.factors import decay_is_multiplied, has_decay
from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput


def optimizer(*overrides):
    (cell,) = compose_grid(["dataset=digits", *overrides]).cells
    return cell.config["optimizer"]


@pytest.mark.parametrize("name", ["sgd", "sam", "adamw", "lion", "muon", "nadam", "lamb", "schedule_free_sgd"])
def test_the_product_of_lr_and_weight_decay_is_an_axis_of_its_own(name):
    own, scaled = optimizer(f"optimizer={name}"), optimizer(f"optimizer={name}", "lr_factor=2", "decay_factor=3")
    assert scaled["lr"] == pytest.approx(2 * own["lr"])
    assert scaled["lr"] * scaled["weight_decay"] == pytest.approx(3 * own["lr"] * own["weight_decay"], rel=1e-3)


@pytest.mark.parametrize("name", ["adam", "radam", "rmsprop", "adagrad"])
def test_of_an_adaptive_method_with_the_decay_in_the_gradient_the_weight_decay_itself_is(name):
    own, scaled = optimizer(f"optimizer={name}"), optimizer(f"optimizer={name}", "lr_factor=2", "decay_factor=3")
    assert (scaled["lr"], scaled["weight_decay"]) == (2 * own["lr"], pytest.approx(3 * own["weight_decay"]))


def test_muons_rate_for_the_other_parameters_moves_with_it():
    own, scaled = optimizer("optimizer=muon"), optimizer("optimizer=muon", "lr_factor=2", "decay_factor=3")
    assert scaled["adamw_lr"] == 2 * own["adamw_lr"]
    assert scaled["adamw_weight_decay"] == pytest.approx(1.5 * own["adamw_weight_decay"], rel=1e-3)


def test_without_it_a_rates_factor_leaves_the_weight_decay_alone():
    own = optimizer("optimizer=adamw")
    assert optimizer("optimizer=adamw", "lr_factor=2") == own | {"lr": 2 * own["lr"]}
    assert optimizer("optimizer=adamw", "decay_factor=1") == own


def test_a_run_with_factors_is_the_run_with_their_values():
    values = optimizer("optimizer=sgd", "lr_factor=0.3162", "decay_factor=3.162")
    typed = compose_grid(["optimizer=sgd", *(f"optimizer.{n}={values[n]}" for n in ("lr", "weight_decay"))])
    by_factors = compose_grid(["optimizer=sgd", "lr_factor=0.3162", "decay_factor=3.162"])
    assert [cell.directory for cell in typed.cells] == [cell.directory for cell in by_factors.cells]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("decay_factor=0",), "decay_factor=0.0: must be a number above 0"),
        (("decay_factor=2", "weight_decay_factor=3"), "decay_factor=2 and weight_decay_factor=3: both are of the"),
        (("decay_factor=2", "weight_decay_factor=1.0000001"), "and weight_decay_factor=1.0000001: both are of the"),
    ],
)
def test_what_is_no_factor_is_refused(given, words):
    with pytest.raises(BadInput, match=words):
        optimizer(*given)


def test_the_switch_of_an_optimizer_says_whether_its_decay_is_decoupled():
    assert not decay_is_multiplied({"_target_": "pytorch_optimizer.AdaBelief", "weight_decouple": False})
    assert decay_is_multiplied({"_target_": "torch.optim.NAdam", "decoupled_weight_decay": True})
    assert has_decay({"weight_decay": 0.1}) and not has_decay({"weight_decay": 0.0}) and not has_decay({"lr": 1.0})
