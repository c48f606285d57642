"""An epoch's training metrics, summed on the device and read once, and a clock of the training time."""

import time
from typing import Any

import torch

from sweeper.engine.devices import synchronize

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
        self.clock.seconds = 0.0

    def tensors(self) -> list[torch.Tensor]:
        return [self.losses, self.correct, self.lr]

    @torch.no_grad()
    def add(
        self,
        step: torch.Tensor,
        loss: torch.Tensor,
        right: torch.Tensor,
        index: torch.Tensor,
    ) -> None:
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

    def metrics(self, order: torch.Tensor) -> Row:
        """The epoch's metrics. `corrupted_train_accuracy` is the share of wrong labels that the model predicts.

        Args:
            order: int64 (n,), the epoch's permutation of the training images, of which `drop_last` leaves out the end.
        """
        n = int(self.sizes.sum())
        clean, corrupted = self.correct.tolist()
        n_corrupted = 0 if self.corrupted is None else int(self.corrupted[order[:n]].sum())
        seconds = self.clock.read()
        return {
            "lr": self.lr.item(),
            "train_loss": (self.losses.cpu().double() @ self.sizes).item() / n,
            "train_accuracy": (clean + corrupted) / n,
            "clean_train_accuracy": clean / (n - n_corrupted) if n > n_corrupted else None,
            "corrupted_train_accuracy": corrupted / n_corrupted if n_corrupted else None,
            "train_seconds": round(seconds, 6),
            "images_per_second": round(n / seconds, 1),
        }

    def first_bad_step(self, bound: float | None) -> int | None:
        """The first step of the epoch, from 1, whose loss isn't finite or is above `bound`; None if there is none."""
        losses = self.losses.cpu()
        bad = ~losses.isfinite() if bound is None else ~losses.isfinite() | (losses > bound)
        return int(bad.nonzero()[0]) + 1 if bad.any() else None

    def median_loss(self) -> float:
        """The median of the losses of the epoch's steps."""
        return self.losses.cpu().double().median().item()

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses, "correct": self.correct, "lr": self.lr, "seconds": self.clock.read()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("losses", "correct", "lr"):
            getattr(self, name).copy_(state[name])
        self.clock.seconds = state["seconds"]


class Clock:
    """Measures the seconds between `start` and `stop`; on CUDA by events in the stream, without synchronizing."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seconds = 0.0
        self._pending: list[torch.cuda.Event] = []
        self._started = 0.0
        self._runs = False

    def start(self) -> None:
        self._runs = True
        if self.kind == "cuda":
            self._pending = [self._record()]
        else:
            synchronize(self.kind)
            self._started = time.perf_counter()

    def stop(self) -> None:
        """Stop the clock; no effect if it isn't running."""
        if not self._runs:
            return
        self._runs = False
        if self.kind == "cuda":
            self._pending.append(self._record())
        else:
            synchronize(self.kind)
            self.seconds += time.perf_counter() - self._started

    def read(self) -> float:
        """The seconds so far; waits until the device reaches the latest `stop`."""
        if len(self._pending) == 2:
            began, ended = self._pending
            ended.synchronize()
            self.seconds += began.elapsed_time(ended) / 1e3
            self._pending = []
        return self.seconds

    def _record(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event
