"""What to know before a sweep trains: too few images for a verdict, few steps an epoch, a large model on a CPU."""

from collections.abc import Iterator
from typing import Any

from sweeper.system.command import called
from sweeper.system.text import counted

FEW_STEPS = 10  # an epoch
FEW_IMAGES = 100  # one of them is a point of accuracy or more
LARGE = 1_000_000  # parameters
MANY = 5_000  # images that a run trains, in all of its epochs


def about_images(config: dict[str, Any], train: int, steps: int, judged: dict[str, int]) -> Iterator[str]:
    """A line for each number of images that is small, unless a limit of the command's makes it so.

    Args:
        train: the number of training images.
        steps: an epoch's.
        judged: the number of images by which runs are judged, by the split's name.
    """
    dataset = config["dataset"]
    name = f"dataset={dataset['name']}"
    if steps < FEW_STEPS and dataset["train_limit"] is None:
        epoch = f"of {counted(train, 'training image')} an epoch is {counted(steps, 'step')}"
        of_run = f"{steps * config['epochs']:,} in epochs={config['epochs']}"
        of_batch = f"of batch_size={config['batch_size']}"
        yield f"{name}: {epoch} {of_batch}, {of_run}; a smaller batch_size or more epochs train more"
    for split, images in judged.items():
        if images < FEW_IMAGES and (split != "test" or dataset["test_limit"] is None):
            one = f"one is {100 / images:.1f} points of accuracy, so only large differences show"
            yield f"{name}: {counted(images, f'{split} image')}: {one}; more images show smaller ones"


def about_cpu(config: dict[str, Any], train: int, parameters: int) -> Iterator[str]:
    """A line if a model made for a GPU is to train for long on the CPU."""
    if parameters >= LARGE and train * config["epochs"] >= MANY:
        size = f"{parameters / 1e6:.1f} million parameters"
        how_long = f"{called('plan')} with the same words says how long"
        yield f"model={config['model']['name']}: {size} are slow on a CPU; model=cnn is quicker, and {how_long}"
