"""Loss and accuracy over a split on the device, without augmentation."""

import functools
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from sweeper.datasets.data import Split
from sweeper.engine.augment import Normalize
from sweeper.engine.capture import Graph, never_waits
from sweeper.engine.devices import Device, on_host
from sweeper.engine.work import WORK

BATCH_SIZE = 1000


class Evaluation:
    """Evaluates a model over a split; on CUDA by a CUDA graph from the second time on.

    `measure` only launches the work, so that other runs, or the next epoch, can use the time until it is done.
    """

    def __init__(self, split: Split, model: nn.Module, normalize: Normalize, device: Device) -> None:
        self.images, self.labels = _on_device(split, device.torch_device)
        self.model, self.normalize, self.device = model, normalize, device
        self.loss = torch.zeros((), device=device.torch_device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device.torch_device)
        self._can_be_recorded: bool | None = None  # unknown before the first evaluation
        self._graph: Graph | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether `measure` replays a graph, for which the model's mode doesn't matter."""
        return self._graph is not None

    def measure(self) -> None:
        WORK.passes += len(self.labels)
        if self._can_be_recorded:
            if self._graph is None:
                WORK.preparations += 1
                self._graph = Graph(self._compute)
            self._graph.replay()
            return
        if self._can_be_recorded is None:
            WORK.preparations += 1
            self._can_be_recorded = self.device.graphs and never_waits(self._compute)
            if self._can_be_recorded:
                return
        self._compute()

    def score(self) -> "Score":
        """The result of the latest `measure`."""
        return Score(on_host(self.loss), on_host(self.correct), len(self.labels))

    @torch.no_grad()
    def _compute(self) -> None:
        self.loss.zero_()
        self.correct.zero_()
        for images, labels in zip(self.images.split(BATCH_SIZE), self.labels.split(BATCH_SIZE), strict=True):
            with self.device.autocast():
                logits = self.model(self.normalize(images).contiguous(memory_format=self.device.memory_format))
            self.loss += functional.cross_entropy(logits.float(), labels, reduction="sum")
            self.correct += (logits.argmax(1) == labels).sum()


@dataclass(frozen=True)
class Score:
    """An evaluation's result on the host; on CUDA it may be read once the device has written it.

    Attributes:
        loss: the sum of the cross-entropy over `images` images, 0-dim.
        correct: the number of images classified right, 0-dim.
    """

    loss: torch.Tensor
    correct: torch.Tensor
    images: int

    def read(self) -> dict[str, float]:
        """The mean cross-entropy and the accuracy, in [0, 1]."""
        return {"loss": self.loss.item() / self.images, "accuracy": self.correct.item() / self.images}


@functools.lru_cache(maxsize=4)
def _on_device(split: Split, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The split's images and labels on the device; runs of one process with the same data share them."""
    moved = split.images.to(device), split.labels.to(device)
    if device.type == "cuda":
        torch.cuda.synchronize()  # other streams read them too
    return moved
