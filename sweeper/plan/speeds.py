"""`conf/speeds.yaml`: what other devices need for the same work, each speed with its source."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from sweeper.system.files import CONF

FILE = "speeds.yaml"


@dataclass(frozen=True)
class Speed:
    """Images trained a second, evaluation included, of one model on images of one shape."""

    device: str
    model: str
    image: tuple[int, ...]
    batch_size: int
    images_per_second: float
    source: str
    optimizers: dict[str, float] = field(default_factory=dict)

    def seconds(self, work: Iterable[tuple[str, int]]) -> float:
        """Of runs one after the other; `work`: each run's optimizer and images, those of all epochs that are left."""
        return sum(images / self.optimizers.get(optimizer, self.images_per_second) for optimizer, images in work)


def load_speeds() -> list[Speed]:
    entries: Any = OmegaConf.to_container(OmegaConf.load(CONF / FILE))
    return [Speed(**{**entry, "image": tuple(entry["image"])}) for entry in entries]


def speeds_of(model: str, image: tuple[int, ...]) -> list[Speed]:
    """The devices on which this work's speed is known, the fastest first."""
    known = [speed for speed in load_speeds() if (speed.model, speed.image) == (model, image)]
    return sorted(known, key=lambda speed: -speed.images_per_second)
