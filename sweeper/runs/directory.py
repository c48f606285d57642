"""The run directory: writes and reads its files."""

import contextlib
import csv
import io
import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.runs.agreement import describe_files
from sweeper.runs.identity import IDENTITY_VERSION, with_relative_paths
from sweeper.runs.layout import (
    CHECKPOINT_FILES,
    HYDRAS_FILES,
    LABELS_FILE,
    LOCK_FILE,
    METRICS_FILE,
    PREVIOUS_FOLDER,
    RESULT_FILES,
    RUN_FILE,
    RUN_FILES,
    TRACKING_FILE,
    WEIGHTS_FILE,
)
from sweeper.runs.metrics import METRICS
from sweeper.runs.previous import finish_keeping, keep_together
from sweeper.runs.record import SCHEMA_VERSION, Damaged, recorded_status
from sweeper.runs.status import Status
from sweeper.system import files
from sweeper.system.files import read_file
from sweeper.system.limits import NOTE_BYTES
from sweeper.system.lock import Lock, Locked, is_alive, read_lock
from sweeper.system.process_start import is_lack_of_memory

if TYPE_CHECKING:
    from torch import nn

METRICS_SHARE = 0.02  # of a run's time that writing `metrics.csv` after each epoch may take,
METRICS_PAUSE = 10.0  # seconds; but on a slow disk, too, the file lags by no more than this


class _Table:
    """The rows of a `metrics.csv` as text, each made once: a run of short epochs has thousands.

    Attributes:
        written: how many rows the file has.
        written_at: when it was written, by the monotonic clock.
        took: the seconds of that.
    """

    def __init__(self) -> None:
        self.written, self.written_at, self.took = 0, -math.inf, 0.0
        self._begin()

    def _begin(self) -> None:
        self._rows: list[dict[str, Any]] = []  # those in the text
        self._text = io.StringIO()
        self._writer = csv.DictWriter(self._text, METRICS, lineterminator="\n")
        self._writer.writeheader()

    def encode(self, rows: list[dict[str, Any]]) -> bytes:
        """The whole file's content. A row that was in it before must not be changed in place, but may be replaced."""
        if rows[: len(self._rows)] != self._rows:
            self._begin()
        self._writer.writerows(rows[len(self._rows) :])
        self._rows = list(rows)
        return self._text.getvalue().encode()


class RunDirectory:
    """One run's files. The directory is created by the first write.

    Args:
        shown: the directory as the user named it, which messages show; by default `path`.
    """

    def __init__(self, path: Path, shown: Path | None = None) -> None:
        self.path, self.shown = path, shown or path
        self._metrics = _Table()

    def lock(self) -> Lock:
        return Lock(self.path / LOCK_FILE)

    def write_run(
        self,
        status: Status,
        config: dict[str, Any],
        environment: dict[str, Any],
        result: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Write `run.json`, with paths relative to the run's directory; of a finished run, after its other files."""
        run = {
            "schema_version": SCHEMA_VERSION,
            "identity_version": IDENTITY_VERSION,
            "status": status,
            "config": with_relative_paths(config, self.path),
            "environment": environment,
            "result": result,
            "error": error,
        }
        if Status(status).finished:
            run["files"] = describe_files(self.path)
        self._write(RUN_FILE, (json.dumps(run, indent=1, allow_nan=True) + "\n").encode())

    def write_metrics(self, rows: list[dict[str, Any]], every: float | None = None) -> None:
        """Write `metrics.csv`: one row per epoch with the columns `METRICS`; None is an empty cell.

        Args:
            every: skip this if the file was written less than so many seconds ago, or so lately that writing it would
                take more than `METRICS_SHARE`; `complete_metrics` makes up for it.
        """
        began = time.monotonic()
        pause = min(self._metrics.took / METRICS_SHARE, METRICS_PAUSE)
        if every is not None and began - self._metrics.written_at < max(every, pause):
            return
        self._write(METRICS_FILE, self._metrics.encode(rows))
        self._metrics.written, self._metrics.written_at = len(rows), time.monotonic()
        self._metrics.took = self._metrics.written_at - began

    def complete_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Write `metrics.csv` if rows are missing in it."""
        if len(rows) != self._metrics.written:
            self.write_metrics(rows)

    def write_corrupted_labels(self, labels: Sequence[tuple[int, int, int]] | None) -> None:
        """Write which training labels are wrong. Without label noise `labels` is None and no file is written.

        Args:
            labels: for each wrong label the image's index in the canonical order of the full training set (by class,
                then content), its true label and the label it was given.
        """
        if labels is None:
            return
        lines = ["index,true_label,given_label", *(",".join(map(str, row)) for row in labels)]
        self._write(LABELS_FILE, ("\n".join(lines) + "\n").encode())

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Write the checkpoint and keep the previous one, in case the disk damages the new one."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write(CHECKPOINT_FILES[0], files.with_checksum(buffer.getvalue()), self.path / CHECKPOINT_FILES[1])

    def load_checkpoint(self, name: str = CHECKPOINT_FILES[0]) -> dict[str, Any] | None:
        """A checkpoint's state, on the CPU; None if there is no file of this name.

        Raises:
            Damaged: the file isn't a whole checkpoint.
            OSError, MemoryError, RuntimeError: it can't be read now, or there is too little memory for it: it may be
                whole, so nothing is trained anew.
        """
        import torch

        path = self.path / name
        if not path.is_file():
            return None
        try:
            content = files.read_without_checksum(path)
            state: dict[str, Any] = dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except FileNotFoundError:  # removed since
            return None
        except OSError:
            raise
        except Exception as error:  # the unpickler may raise anything on a foreign file
            if is_lack_of_memory(error):
                raise
            raise Damaged(f"{path}: not a whole checkpoint ({type(error).__name__})") from error
        return state

    def remove_checkpoints(self, *names: str) -> None:
        """Remove the named ones of `CHECKPOINT_FILES`."""
        for name in names:
            files.remove_file(self.path / name)

    def write_weights(self, model: "nn.Module") -> None:
        """Write `model.safetensors`: the model's state, contiguous and on the CPU, so that it loads on any device."""
        import torch
        from safetensors.torch import save

        # Clone, since the format refuses tensors that share memory, such as tied weights.
        weights = {
            k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in model.state_dict().items()
        }
        self._write(WEIGHTS_FILE, save(weights))

    def tracking_key(self) -> str | None:
        """The id by which a tracker finds this run again; None if no tracker has logged it."""
        with contextlib.suppress(OSError, ValueError):
            key = read_file(self.path / TRACKING_FILE, NOTE_BYTES).decode().strip()
            return key if re.fullmatch("[0-9a-f]{12}", key) else None
        return None

    def write_tracking_key(self, key: str) -> str:
        self._write(TRACKING_FILE, f"{key}\n".encode())
        return key

    def remove_links(self) -> None:
        """Remove links and pipes where Hydra will write."""
        for name in HYDRAS_FILES:
            files.clear_way(self.path / name)

    def set_aside(self) -> Path | None:
        """Keep an earlier result under `previous/<n>/`, which is returned, before another; None where there is none."""
        return keep_together(self.path, RESULT_FILES)

    def remove_if_never_begun(self) -> None:
        """Remove Hydra's record of the command line if the run was never started."""
        if not any((self.path / name).exists() for name in (*RUN_FILES, PREVIOUS_FOLDER)):
            files.remove_tree(self.path / HYDRAS_FILES[0])
            with contextlib.suppress(OSError):  # not empty, or not there
                files.remove_empty_folder(self.path)
                files.remove_empty_folder(self.path.parent)

    def tidy(self) -> None:
        """Remove what an owner that was killed in writing left behind. To be called first by the lock's owner."""
        files.remove_leftovers(self.path, RUN_FILES)
        finish_keeping(self.path, RESULT_FILES)

    def tidy_finished(self) -> None:
        """Call `tidy` for a finished run that has no owner. Does nothing if nothing was left behind."""
        left = any((self.path / name).exists() for name in (*CHECKPOINT_FILES, LOCK_FILE))
        seen = read_lock(self.path / LOCK_FILE)
        if left and not (seen is not None and is_alive(self.path / LOCK_FILE, seen, wait=False)):
            with contextlib.suppress(OSError, Locked), self.lock():
                self.tidy()
                if (status := recorded_status(self.path)) is not None and status.finished:
                    self.remove_checkpoints(*CHECKPOINT_FILES)

    def _write(self, name: str, content: bytes, keep: Path | None = None) -> None:
        files.make_folder(self.path)
        files.write_atomically(self.path / name, content, keep=keep)
