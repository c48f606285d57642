"""An epoch's figures are means over its images, clean and corrupted ones apart; its clock is that of training alone."""

import time

import pytest
import torch

from sweeper.engine.meter import Clock, Meter

CPU = torch.device("cpu")
SIZES = [2, 2, 1]
LOSSES = [1.0, 2.0, 6.0]
INDEX = [[4, 0], [3, 1], [2]]  # the images of each step
ORDER = torch.tensor([4, 0, 3, 1, 2])
RIGHT = [[True, False], [True, True], [False]]  # images 4, 3 and 1


def metered(corrupted: list[bool] | None, losses=LOSSES) -> Meter:
    meter = Meter(SIZES, None if corrupted is None else torch.tensor(corrupted), CPU)
    meter.clock.start()
    meter.set_lr(0.25)
    for k, loss in enumerate(losses):
        meter.add(torch.tensor([k]), torch.tensor(loss), torch.tensor(RIGHT[k]), torch.tensor(INDEX[k]))
    meter.clock.stop()
    return meter


def without_times(meter: Meter, order: torch.Tensor = ORDER) -> dict:
    return {
        name: value
        for name, value in meter.sums(order).metrics().items()
        if name not in ("train_seconds", "images_per_second")
    }


def test_losses_are_weighed_by_the_sizes_of_their_batches():
    figures = without_times(metered(None))
    assert figures == {
        "lr": 0.25,
        "train_loss": (2 * 1 + 2 * 2 + 1 * 6) / 5,
        "train_accuracy": 3 / 5,
        "clean_train_accuracy": 3 / 5,
        "corrupted_train_accuracy": None,
    }


def test_clean_and_corrupted_images_are_counted_apart_by_their_places_in_the_training_set():
    figures = without_times(metered([True, False, False, True, False]))
    assert figures["train_accuracy"] == 3 / 5
    assert (figures["clean_train_accuracy"], figures["corrupted_train_accuracy"]) == (2 / 3, 1 / 2)
    assert without_times(metered([True] * 5))["clean_train_accuracy"] is None


def test_only_images_of_the_epochs_batches_are_counted():
    """With `drop_last` an epoch leaves images out, here the corrupted 2 and then the clean 0."""
    for order, corrupted in (([4, 3, 1, 0, 2], 1), ([4, 3, 1, 2, 0], 2)):
        meter = Meter([2, 2], torch.tensor([False, False, True, True, False]), CPU)
        for k in range(2):
            images = torch.tensor(order[2 * k : 2 * k + 2])
            meter.add(torch.tensor([k]), torch.tensor(1.0), images > 1, images)
        meter.clock.seconds = 1.0
        figures = without_times(meter, torch.tensor(order))
        assert figures["train_accuracy"] == (2 if corrupted == 1 else 3) / 4
        assert figures["corrupted_train_accuracy"] == 1
        assert figures["clean_train_accuracy"] == 1 / (4 - corrupted)


@pytest.mark.parametrize(
    ("losses", "bound", "step"),
    [
        (LOSSES, None, None),
        (LOSSES, 6.0, None),
        (LOSSES, 1.5, 2),
        ([1.0, float("nan"), float("inf")], None, 2),
        ([1.0, 2.0, float("inf")], 1.5, 2),
        ([float("-inf"), 2.0, 3.0], None, 1),
    ],
)
def test_the_first_step_that_is_not_finite_or_above_the_bound_is_found(losses, bound, step):
    assert metered(None, losses).sums(ORDER).first_bad_step(bound) == step


def test_the_median_is_of_the_steps_and_one_wild_step_leaves_it():
    assert metered(None, [1.0, 1e18, 2.0]).sums(ORDER).median_loss() == 2.0


def test_a_meter_goes_on_from_its_state_and_begins_anew_after_a_reset():
    corrupted = [True, False, False, True, False]
    first, second = metered(corrupted), Meter(SIZES, torch.tensor(corrupted), CPU)
    second.load_state_dict(first.state_dict())
    assert second.sums(ORDER).metrics() == first.sums(ORDER).metrics()
    second.reset()
    assert not any(tensor.any() for tensor in second.tensors()) and second.clock.read() == 0
    assert first.sums(ORDER).metrics()["train_accuracy"] == 3 / 5


def test_the_clock_runs_between_start_and_stop_alone(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock("cpu")

    def wait(seconds: float) -> None:
        now[0] += seconds

    for _ in range(2):
        wait(100)
        clock.start()
        wait(3)
        clock.stop()
        wait(10)
        clock.stop()
    assert clock.read() == clock.read() == 6


def test_the_speed_of_a_large_model_has_its_digits(monkeypatch):
    monkeypatch.setattr(Clock, "read", lambda self: 300.0)
    figures = metered(None).sums(ORDER).metrics()
    assert (figures["train_seconds"], figures["images_per_second"]) == (300.0, 0.016667)
