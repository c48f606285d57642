"""An epoch's training metrics, summed on the device and read once, and a clock of the training time."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from sweeper.engine.devices import on_host, synchronize
from sweeper.runs.metrics import per_second

Row = dict[str, Any]


class Meter:
    """Sums metrics over an epoch's steps. Only what reads them waits for the device."""

    def __init__(self, sizes: list[int], corrupted: torch.Tensor | None, where: torch.device) -> None:
        """
        Args:
            sizes: the batch size of each step of an epoch.
            corrupted: (n,) bool, True where a training label is wrong; None without noise.
        """
        self.corrupted = None if corrupted is None else corrupted.to(where)
        self.sizes = torch.tensor(sizes, dtype=torch.float64)
        self.losses = torch.zeros(len(sizes), device=where)  # mean loss of each step
        self.correct = torch.zeros(2, dtype=torch.int64, device=where)  # on clean and on corrupted labels
        self.lr = torch.zeros((), device=where)  # of the first parameter group, at the latest step
        self.clock = Clock(where.type)

    def reset(self) -> None:
        for tensor in self.tensors():
            tensor.zero_()
        self.clock = Clock(self.clock.kind)

    def tensors(self) -> list[torch.Tensor]:
        return [self.losses, self.correct, self.lr]

    @torch.no_grad()
    def add(self, step: torch.Tensor, loss: torch.Tensor, right: torch.Tensor, index: torch.Tensor) -> None:
        """Add one step.

        Args:
            step: int64 (1,), its index in the epoch.
            loss: the mean loss of the batch, 0-dim.
            right: (b,) bool, whether each image is classified as its given label.
            index: int64 (b,), the images' indices in the training set.
        """
        self.losses.index_copy_(0, step, loss.detach().float().reshape(1))
        if self.corrupted is None:
            self.correct[0] += right.sum()
        else:
            wrong_label = self.corrupted[index]
            self.correct += torch.stack([(right & ~wrong_label).sum(), (right & wrong_label).sum()])

    def set_lr(self, lr: float | torch.Tensor) -> None:
        self.lr.copy_(lr) if isinstance(lr, torch.Tensor) else self.lr.fill_(lr)

    def sums(self, order: torch.Tensor) -> "Sums":
        """The epoch's sums, copied to the host.

        Args:
            order: int64 (n,), the epoch's permutation of the training images, of which `drop_last` leaves out the end.
        """
        trained = order[: int(self.sizes.sum())]
        corrupted = None if self.corrupted is None else on_host(self.corrupted[trained].sum())
        return Sums(self.sizes, on_host(self.losses), on_host(self.correct), on_host(self.lr), corrupted, self.clock)

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses, "correct": self.correct, "lr": self.lr, "seconds": self.clock.read()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("losses", "correct", "lr"):
            getattr(self, name).copy_(state[name])
        self.clock.seconds = state["seconds"]


@dataclass(frozen=True)
class Sums:
    """An epoch's sums on the host; on CUDA they may be read once the device has written them.

    Attributes:
        sizes: float64 (steps,), the batch size of each step.
        losses: (steps,), the mean loss of each step.
        correct: int64 (2,), the images classified as their labels say, with clean and with corrupted ones.
        lr: of the first parameter group, at the latest step.
        corrupted: the number of the epoch's images with corrupted labels, 0-dim; None without noise.
        clock: of the epoch.
    """

    sizes: torch.Tensor
    losses: torch.Tensor
    correct: torch.Tensor
    lr: torch.Tensor
    corrupted: torch.Tensor | None
    clock: "Clock"

    def metrics(self) -> Row:
        """The epoch's metrics. `corrupted_train_accuracy` is the share of wrong labels that the model predicts."""
        n = int(self.sizes.sum())
        clean, corrupted = self.correct.tolist()
        n_corrupted = 0 if self.corrupted is None else int(self.corrupted)
        seconds = self.clock.read()
        return {
            "lr": self.lr.item(),
            "train_loss": (self.losses.double() @ self.sizes).item() / n,
            "train_accuracy": (clean + corrupted) / n,
            "clean_train_accuracy": clean / (n - n_corrupted) if n > n_corrupted else None,
            "corrupted_train_accuracy": corrupted / n_corrupted if n_corrupted else None,
            "train_seconds": round(seconds, 6),
            "images_per_second": per_second(n, seconds),
        }

    def first_bad_step(self, bound: float | None) -> int | None:
        """The first step of the epoch, from 1, whose loss isn't finite or is above `bound`; None if there is none."""
        bad = ~self.losses.isfinite() if bound is None else ~self.losses.isfinite() | (self.losses > bound)
        return int(bad.nonzero()[0]) + 1 if bad.any() else None

    def median_loss(self) -> float:
        """The median of the losses of the epoch's steps."""
        return self.losses.double().median().item()


class Clock:
    """Measures the seconds between `start` and `stop`; on CUDA by events in the stream, without synchronizing."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seconds = 0.0
        self._pieces: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []  # begin and end of each, not read yet
        self._began: torch.cuda.Event | None = None
        self._started = 0.0
        self._runs = False

    def start(self) -> None:
        self._runs = True
        if self.kind == "cuda":
            self._began = self._record()
        else:
            synchronize(self.kind)
            self._started = time.perf_counter()

    def stop(self) -> None:
        """Stop the clock; no effect if it isn't running."""
        if not self._runs:
            return
        self._runs = False
        if self.kind == "cuda":
            assert self._began is not None
            self._pieces.append((self._began, self._record()))
        else:
            synchronize(self.kind)
            self.seconds += time.perf_counter() - self._started

    def read(self) -> float:
        """The seconds so far; waits until the device reaches the latest `stop`."""
        for began, ended in self._pieces:
            ended.synchronize()
            self.seconds += began.elapsed_time(ended) / 1e3
        self._pieces.clear()
        return self.seconds

    def _record(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event
