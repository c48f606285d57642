"""Loss and accuracy over a split on the device, without augmentation."""

import functools

import torch
from torch import nn
from torch.nn import functional

from sweeper.datasets.data import Split
from sweeper.engine.augment import Normalize
from sweeper.engine.devices import Device
from sweeper.engine.graphs import Graph, never_waits
from sweeper.engine.work import WORK

BATCH_SIZE = 1000


class Evaluation:
    """Evaluates a model over a split; on CUDA by a CUDA graph from the second time on.

    `measure` only launches the work and `read` waits for it, so that other runs can use the time in between.
    """

    def __init__(self, split: Split, model: nn.Module, normalize: Normalize, device: Device) -> None:
        self.images, self.labels = _on_device(split, device.torch_device)
        self.model, self.normalize, self.device = model, normalize, device
        self.loss = torch.zeros((), device=device.torch_device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device.torch_device)
        self._can_be_recorded: bool | None = None  # unknown before the first evaluation
        self._graph: Graph | None = None

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

    def read(self) -> dict[str, float]:
        """The mean cross-entropy and the accuracy, in [0, 1], of the latest `measure`."""
        n = len(self.labels)
        return {"loss": self.loss.item() / n, "accuracy": self.correct.item() / n}

    @torch.no_grad()
    def _compute(self) -> None:
        self.loss.zero_()
        self.correct.zero_()
        for images, labels in zip(self.images.split(BATCH_SIZE), self.labels.split(BATCH_SIZE), strict=True):
            with self.device.autocast():
                logits = self.model(self.normalize(images).contiguous(memory_format=self.device.memory_format))
            self.loss += functional.cross_entropy(logits.float(), labels, reduction="sum")
            self.correct += (logits.argmax(1) == labels).sum()


@functools.lru_cache(maxsize=4)
def _on_device(split: Split, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The split's images and labels on the device; runs of one process with the same data share them."""
    moved = split.images.to(device), split.labels.to(device)
    if device.type == "cuda":
        torch.cuda.synchronize()  # other streams read them too
    return moved
