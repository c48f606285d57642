"""Reads `conf/speeds.yaml`, the training speeds of other devices, each with its source."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from sweeper.system.files import CONF

FILE = "speeds.yaml"


@dataclass(frozen=True)
class Speed:
    """A device's speed for one model and image shape, in images per second with evaluation included.

    Attributes:
        start_seconds: from the command until its runs train; 0 if that wasn't measured.
    """

    device: str
    model: str
    image: tuple[int, ...]
    batch_size: int
    images_per_second: float
    source: str
    start_seconds: float = 0.0
    optimizers: dict[str, float] = field(default_factory=dict)

    def seconds(self, work: Iterable[tuple[str, int]]) -> float:
        """The seconds of runs one after another, with the start.

        Args:
            work: each run's optimizer and its images in all epochs left.
        """
        epochs = sum(images / self.optimizers.get(optimizer, self.images_per_second) for optimizer, images in work)
        return self.start_seconds + epochs


def load_speeds() -> list[Speed]:
    entries: Any = OmegaConf.to_container(OmegaConf.load(CONF / FILE))
    return [Speed(**{**entry, "image": tuple(entry["image"])}) for entry in entries]


def speeds_of(model: str, image: tuple[int, ...]) -> list[Speed]:
    """The known speeds for this model and image shape, the fastest first."""
    known = [speed for speed in load_speeds() if (speed.model, speed.image) == (model, image)]
    return sorted(known, key=lambda speed: -speed.images_per_second)
