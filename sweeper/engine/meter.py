"""One epoch's training figures, kept on the device and read once, and the clock of its training alone."""

import time
from typing import Any

import torch

from sweeper.engine.devices import synchronize

Row = dict[str, Any]


class Meter:
    """Sums over an epoch's steps. Nothing here waits for the device but `metrics`, `first_bad_step` and the state."""

    def __init__(self, sizes: list[int], corrupted: torch.Tensor | None, where: torch.device) -> None:
        """
        Args:
            sizes: images of each step of an epoch.
            corrupted: (n,) bool, where training labels are wrong; None without noise.
        """
        self.corrupted = None if corrupted is None else corrupted.to(where)
        self.sizes = torch.tensor(sizes, dtype=torch.float64)
        self.losses = torch.zeros(len(sizes), device=where)  # mean loss of each step
        self.correct = torch.zeros(2, dtype=torch.int64, device=where)  # on clean and on corrupted labels
        self.lr = torch.zeros((), device=where)  # of the first parameter group in the latest step
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
        """Take in one step.

        Args:
            step: int64 (1,), its place in the epoch.
            loss: its mean loss, 0-dim.
            right: (b,) bool, images told as their given label.
            index: int64 (b,), the images' places in the training set.
        """
        self.losses.index_copy_(0, step, loss.detach().float().reshape(1))
        if self.corrupted is None:
            self.correct[0] += right.sum()
        else:
            wrong_label = self.corrupted[index]
            self.correct += torch.stack([(right & ~wrong_label).sum(), (right & wrong_label).sum()])

    def set_lr(self, lr: float | torch.Tensor) -> None:
        self.lr.copy_(lr) if isinstance(lr, torch.Tensor) else self.lr.fill_(lr)

    def metrics(self) -> Row:
        """`corrupted_train_accuracy` is the share of corrupted images told as their wrong label: memorization."""
        n = int(self.sizes.sum())
        clean, corrupted = self.correct.tolist()
        n_corrupted = 0 if self.corrupted is None else int(self.corrupted.sum())
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
        """The first step of the epoch, from 1, whose loss isn't finite or is above `bound`; None if all are well."""
        losses = self.losses.cpu()
        bad = ~losses.isfinite() if bound is None else ~losses.isfinite() | (losses > bound)
        return int(bad.nonzero()[0]) + 1 if bad.any() else None

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses, "correct": self.correct, "lr": self.lr, "seconds": self.clock.read()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("losses", "correct", "lr"):
            getattr(self, name).copy_(state[name])
        self.clock.seconds = state["seconds"]


class Clock:
    """Seconds of training between `start` and `stop`. On CUDA by events in the stream, so that nothing waits."""

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
        """Without effect on a clock that doesn't run."""
        if not self._runs:
            return
        self._runs = False
        if self.kind == "cuda":
            self._pending.append(self._record())
        else:
            synchronize(self.kind)
            self.seconds += time.perf_counter() - self._started

    def read(self) -> float:
        """Seconds so far; waits for the device to reach the latest `stop`."""
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
