"""Checks, before a command starts and without torch, that its folders can be read and written."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sweeper.runs.layout import CHECKPOINT_FILES, HYDRAS_FILES, HYDRAS_SWEEP_FILE, PREVIOUS_FOLDER, RUN_FILES
from sweeper.system.errors import BadInput
from sweeper.system.files import make_folder

LEAST_FREE = 50 * 2**20  # bytes; with less free space no run starts
_ANOTHER = "choose another folder by outputs=DIR"


def check_readable(outputs: Path, directories: Iterable[Path]) -> None:
    """Check that the runs' records can be read.

    Raises:
        BadInput: `outputs`, a run's directory or its parent isn't a folder or can't be read.
    """
    try:
        with os.scandir(outputs):
            pass
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"outputs={outputs}: can't be read: {error.strerror}; {_ANOTHER}") from error
    for folder in _on_the_way(directories):
        try:
            with os.scandir(folder):
                pass
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.lexists(folder):
                raise BadInput(f"{folder}: is a file, but a folder of runs is needed there; move it away") from error
        except OSError as error:
            raise BadInput(f"{folder}: can't be read: {error.strerror}; make it readable, or {_ANOTHER}") from error


def check_writable(outputs: Path, directories: Iterable[Path]) -> None:
    """Check that these runs can be written. Creates no folder and leaves no file.

    Raises:
        BadInput: `outputs`, a run's directory or its parent can't be created or written; a folder is in a file's place
            or a file in a folder's; a checkpoint can't be read.
    """
    _try_writing(outputs, existing_folder(outputs))
    runs = list(directories)
    for folder in _on_the_way(runs):
        _check_access(folder, os.W_OK | os.X_OK, "written")
    for directory in filter(os.path.isdir, runs):
        for folder in (directory / HYDRAS_FILES[0], directory / PREVIOUS_FOLDER):
            if folder.is_file() and not folder.is_symlink():
                raise BadInput(f"{folder}: is a file, but a folder is needed there; move it away")
            _check_access(folder, os.W_OK | os.X_OK, "written")
        for file in (directory / name for name in sorted({*RUN_FILES, *HYDRAS_FILES[1:]})):
            _check_no_folder(file)
        for name in CHECKPOINT_FILES:
            _check_access(directory / name, os.R_OK, "read")
    _check_no_folder(outputs / HYDRAS_SWEEP_FILE)


def make_outputs(outputs: Path) -> None:
    """Create the folder of all runs.

    Raises:
        BadInput: it can't be created or written, or its disk is full.
    """
    with _writing(outputs):
        make_folder(outputs)
    _try_writing(outputs, outputs)
    if (free := free_bytes(outputs)) < LEAST_FREE:
        raise BadInput(f"outputs={outputs}: only {free / 2**20:.0f} MiB are free there; make room or choose another")


def free_bytes(outputs: Path) -> int:
    """The free bytes of the disk that a folder is on, even if the folder doesn't exist yet."""
    return shutil.disk_usage(existing_folder(outputs)).free


def existing_folder(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _try_writing(outputs: Path, folder: Path) -> None:
    with _writing(outputs), tempfile.TemporaryFile(dir=folder, prefix=".writable-") as file:
        file.write(b"x" * 4096)
        file.flush()


@contextlib.contextmanager
def _writing(outputs: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"outputs={outputs}: can't be written: {reason}; {_ANOTHER}") from error


def _check_access(path: Path, mode: int, done: str) -> None:
    if os.path.exists(path) and not os.access(path, mode):
        what = {"read": "readable", "written": "writable"}[done]
        raise BadInput(f"{path}: can't be {done}; make it {what}, or {_ANOTHER}")


def _check_no_folder(file: Path) -> None:
    if os.path.isdir(file) and not os.path.islink(file):  # links are removed before Hydra writes
        raise BadInput(f"{file}: is a folder, but a file is needed there; move it away")


def _on_the_way(directories: Iterable[Path]) -> Iterable[Path]:
    """The runs' directories and their parents, each once."""
    return dict.fromkeys(folder for directory in directories for folder in (directory.parent, directory))
