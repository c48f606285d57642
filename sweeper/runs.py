"""The run directory: the one owner of its files' names, of how they are written and read back."""

import contextlib
import csv
import errno
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper import files
from sweeper.errors import BadInput
from sweeper.files import read_file
from sweeper.identity import IDENTITY_VERSION, contradiction, with_relative_paths
from sweeper.lock import Lock, Locked, is_alive, read_lock
from sweeper.previous import PREVIOUS_FOLDER, finish_keeping, keep_together

if TYPE_CHECKING:
    from torch import nn

    from sweeper.data import Data

# Of `run.json`. Whoever counts it up adds below how a record of the version before is read.
SCHEMA_VERSION = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # from this version to the next

LARGEST_RECORD = 2**24  # bytes of `run.json`
# What opening it tells where something else, or nothing, is in its place.
_NO_RECORD = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EFBIG)

RUN_FILE = "run.json"
METRICS_FILE = "metrics.csv"
CHECKPOINT_FILES = ("checkpoint.pt", "checkpoint.previous.pt")  # the latest, and the one before it
WEIGHTS_FILE = "model.safetensors"
LABELS_FILE = "corrupted_labels.csv"
LOCK_FILE = "run.lock"
TRACKING_FILE = "tracking.key"
HYDRAS_FILES = (".hydra", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log")
HYDRAS_SWEEP_FILE = "multirun.yaml"
# What belongs to a result, in the order in which it is set aside: a record never stands beside what isn't its own.
RESULT_FILES = (RUN_FILE, *CHECKPOINT_FILES, METRICS_FILE, WEIGHTS_FILE, LABELS_FILE, TRACKING_FILE)
RUN_FILES = frozenset({*RESULT_FILES, LOCK_FILE})

STATUSES = ("running", "completed", "diverged", "failed", "interrupted", "pruned")
FINISHED = frozenset({"completed", "diverged"})

METRICS = (
    "epoch",  # from 1
    "step",  # steps done at the epoch's end
    "lr",  # of the epoch's last step
    "train_loss",  # mean over the epoch's batches, as they were trained on
    "train_accuracy",  # the same; of images with wrong labels, by these labels
    "clean_train_accuracy",  # of the training images whose label is right
    "corrupted_train_accuracy",  # share of the images with a wrong label that are told as that label: memorization
    "val_loss",
    "val_accuracy",  # on the images held out by dataset.validation_fraction; empty without them
    "test_loss",
    "test_accuracy",
    "train_seconds",  # of training alone, without evaluation
    "images_per_second",  # trained
)


class Damaged(Exception):
    """A file of a run directory that can't be read as what it is. One line."""


class Refused(Damaged, BadInput):
    """One that may be whole, but that we may not read or don't know: to be left as it is."""


class OfAnotherRun(Damaged):
    """A whole file that was made by another run: to be kept, and not to be believed here."""


class RunDirectory:
    """One run's files. Nothing is created before something is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self) -> Lock:
        return Lock(self.path / LOCK_FILE)

    def write_run(
        self,
        status: str,
        config: dict[str, Any],
        environment: dict[str, Any],
        result: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Write `run.json`, with paths relative to the run's directory."""
        run = {
            "schema_version": SCHEMA_VERSION,
            "identity_version": IDENTITY_VERSION,
            "status": status,
            "config": with_relative_paths(config, self.path),
            "environment": environment,
            "result": result,
            "error": error,
        }
        self._write(RUN_FILE, (json.dumps(run, indent=1, allow_nan=True) + "\n").encode())

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Write `metrics.csv`: one row an epoch, columns as in `METRICS`; None is an empty cell."""
        text = io.StringIO()
        writer = csv.DictWriter(text, METRICS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write(METRICS_FILE, text.getvalue().encode())

    def write_corrupted_labels(self, data: "Data") -> None:
        """Write which training labels are wrong; no file without label noise.

        `index` is the image's place in the canonical order of the full training set (class, then content).
        """
        if data.corrupted is None:
            return
        lines = ["index,true_label,given_label"]
        for k in data.corrupted.nonzero().flatten().tolist():
            lines.append(f"{data.train_index[k]},{data.true_labels[k]},{data.train.labels[k]}")
        self._write(LABELS_FILE, ("\n".join(lines) + "\n").encode())

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Write the checkpoint; the one before it is kept beside, in case a disk spoils what was whole when written."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write(CHECKPOINT_FILES[0], files.with_checksum(buffer.getvalue()), self.path / CHECKPOINT_FILES[1])

    def load_checkpoint(self, name: str = CHECKPOINT_FILES[0]) -> dict[str, Any] | None:
        """A checkpoint, on the CPU; None when there is none of this name.

        Raises:
            Damaged: there is one, but it isn't whole.
        """
        import torch

        path = self.path / name
        if not path.is_file():
            return None
        try:
            content = files.without_checksum(read_file(path))
            state: dict[str, Any] = dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except PermissionError:  # it may be whole: no reason to begin anew
            raise
        except Exception as error:  # whatever a foreign file makes the unpickler raise
            raise Damaged(f"{path}: not a whole checkpoint ({type(error).__name__})") from error
        return state

    def remove_checkpoints(self, *names: str) -> None:
        """Remove these of `CHECKPOINT_FILES`, and no other."""
        for name in names:
            files.remove_file(self.path / name)

    def write_weights(self, model: "nn.Module") -> None:
        """Write `model.safetensors`: contiguous fp32 tensors on the CPU, which load on any device."""
        import torch
        from safetensors.torch import save

        # Copies: tied weights share memory, which the format refuses.
        weights = {
            k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in model.state_dict().items()
        }
        self._write(WEIGHTS_FILE, save(weights))

    def tracking_key(self) -> str | None:
        """By which a tracker knows this run again; None if none was told of it."""
        with contextlib.suppress(OSError, ValueError):
            key = (self.path / TRACKING_FILE).read_text().strip()
            return key if re.fullmatch("[0-9a-f]{12}", key) else None
        return None

    def write_tracking_key(self, key: str) -> str:
        self._write(TRACKING_FILE, f"{key}\n".encode())
        return key

    def remove_links(self) -> None:
        """Take away links and pipes where Hydra is going to write."""
        for name in HYDRAS_FILES:
            files.clear_way(self.path / name)

    def set_aside(self, even_interrupted: bool = False) -> Path | None:
        """Keep an earlier result under `previous/<n>/`, which is returned, before another; one interrupted in being
        made goes on by default."""
        if not even_interrupted and recorded_status(self.path) in ("running", "interrupted"):
            return None
        return keep_together(self.path, RESULT_FILES)

    def remove_if_never_begun(self) -> None:
        """Take back what Hydra wrote before a run that was then not started: its record of the command line."""
        if not any((self.path / name).exists() for name in (*RUN_FILES, PREVIOUS_FOLDER)):
            files.remove_tree(self.path / HYDRAS_FILES[0])
            with contextlib.suppress(OSError):  # not empty, or not there
                files.remove_empty_folder(self.path)
                files.remove_empty_folder(self.path.parent)

    def tidy(self) -> None:
        """Remove what an owner that was killed left behind. To be called by the lock's owner."""
        files.remove_leftovers(self.path, RUN_FILES)
        finish_keeping(self.path, RESULT_FILES)
        if recorded_status(self.path) in FINISHED:  # killed after its last word
            self.remove_checkpoints(*CHECKPOINT_FILES)

    def tidy_finished(self) -> None:
        """The same for a finished run, which nobody owns. Touches nothing where nothing was left."""
        left = any((self.path / name).exists() for name in (*CHECKPOINT_FILES, LOCK_FILE))
        seen = read_lock(self.path / LOCK_FILE)
        if left and not (seen is not None and is_alive(self.path / LOCK_FILE, seen, wait=False)):
            with contextlib.suppress(OSError, Locked), self.lock():
                self.tidy()

    def _write(self, name: str, content: bytes, keep: Path | None = None) -> None:
        files.make_folder(self.path)
        files.write_atomically(self.path / name, content, keep=keep)


def read_run(directory: Path, own: bool = True) -> dict[str, Any]:
    """`run.json`, parsed, brought to this version's schema and checked in form.

    Raises:
        Damaged: not there, cut off, or of no such form.
        OfAnotherRun: with `own`, its configuration gives another name than the directory has.
        Refused: it can't be read, or is of a newer schema or identity than this version knows.
    """
    path = directory / RUN_FILE
    try:
        run = json.loads(read_file(path, LARGEST_RECORD))
    except OSError as error:
        if error.errno in _NO_RECORD:
            raise Damaged(f"{path}: {error.strerror or error}") from error
        raise Refused(f"{path}: can't be read: {error.strerror or error}; make it readable") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: not whole JSON") from error
    if not isinstance(run, dict):
        raise Damaged(f"{path}: not a run's record")
    version = run.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise Refused(f"{path}: of schema {version}, this sweeper reads up to {SCHEMA_VERSION}; update sweeper")
    run = _migrate(run)
    in_form = (
        run.get("schema_version") == SCHEMA_VERSION
        and run.get("status") in STATUSES
        and isinstance(run.get("config"), dict)
        and isinstance(run.get("environment"), dict)
        and isinstance(run.get("result", ""), (dict, type(None)))
    )
    if not in_form:
        raise Damaged(f"{path}: not a run's record of schema {SCHEMA_VERSION}")
    version = run.get("identity_version", 1)  # of records of the time when there was one
    if isinstance(version, int) and version > IDENTITY_VERSION:
        raise Refused(f"{path}: of identity {version}, this sweeper knows up to {IDENTITY_VERSION}; update sweeper")
    if own and (other := contradiction(directory, run["config"])) is not None:
        raise OfAnotherRun(f"{path}: {other}")
    return run


def _migrate(run: dict[str, Any]) -> dict[str, Any]:
    """An older record as this version would have written it; as it is where no step knows it."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):  # no such record
        while run.get("schema_version") in MIGRATIONS:
            version = run["schema_version"]
            run = {**MIGRATIONS[version](run), "schema_version": version + 1}
    return run


def effective_status(run: dict[str, Any], directory: Path) -> str:
    """The status as it is now: a `running` run whose owner is gone is `interrupted`."""
    status: str = run["status"]
    if status != "running":
        return status
    seen = read_lock(directory / LOCK_FILE)
    alive = seen is not None and is_alive(directory / LOCK_FILE, seen, wait=False)
    return "running" if alive else "interrupted"


def recorded_status(directory: Path) -> str | None:
    """As it was last written; None where there is no record that can be read."""
    with contextlib.suppress(Damaged):
        return str(read_run(directory)["status"])
    return None


def find_finished(directory: Path) -> dict[str, Any] | None:
    """The record of a finished run in `directory`, or None if there is work to do.

    Raises:
        Refused: there is a record that may be whole.
    """
    try:
        run = read_run(directory)
    except Refused:
        raise
    except Damaged:
        return None
    return run if run["status"] in FINISHED else None
