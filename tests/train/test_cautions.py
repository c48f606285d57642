"""What is said before a sweep of few images, or of a large model on a CPU."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.train.cautions import about_cpu, about_images


def config(*words):
    (cell,) = compose_grid(["dataset=digits", *words]).cells
    return cell.config


@pytest.mark.parametrize(
    ("words", "train", "steps", "judged", "said"),
    [
        ((), 1438, 23, {"test": 359, "validation": 100}, []),
        ((), 60, 2, {"test": 359}, ["of 60 training images an epoch is 2 steps of batch_size=64, 8 in epochs=4; "]),
        ((), 10**5, 9, {"test": 359}, ["an epoch is 9 steps"]),
        ((), 10**5, 10, {"test": 30}, ["30 test images: one is 3.3 points of accuracy"]),
        ((), 10**5, 10, {"test": 359, "validation": 99}, ["99 validation images: one is 1.0 points of accuracy"]),
        (("dataset.train_limit=60", "dataset.test_limit=30"), 60, 1, {"test": 30}, []),  # as asked for
    ],
)
def test_few_images_are_said_in_a_line_each(words, train, steps, judged, said):
    lines = list(about_images(config("epochs=4", *words), train, steps, judged))
    assert len(lines) == len(said)
    assert all(words in line and line.startswith("dataset=digits: ") for words, line in zip(said, lines, strict=True))


@pytest.mark.parametrize(
    ("epochs", "train", "parameters", "said"),
    [(200, 60, 11_200_000, True), (200, 60, 100_000, False), (1, 60, 11_200_000, False)],
)
def test_a_large_model_on_a_cpu_is_said_with_what_is_quicker(epochs, train, parameters, said):
    lines = list(about_cpu(config("model=resnet18", f"epochs={epochs}"), train, parameters))
    line = "model=resnet18: 11.2 million parameters are slow on a CPU; model=cnn is quicker, and "
    assert lines == [f"{line}python -m sweeper.plan with the same words says how long"] * said
