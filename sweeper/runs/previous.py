"""Earlier results and refused files of a run, kept under `previous/<n>/` of its directory."""

import os
from collections.abc import Iterable
from pathlib import Path

from sweeper.runs.layout import PREVIOUS_FOLDER
from sweeper.system.files import make_folder, move, remove_empty_folder


def keep_files(directory: Path, names: Iterable[str]) -> Path | None:
    """Move these files of a run, each for itself, into a new `previous/<n>/`, which is returned; None without any."""
    present = _present(directory, names)
    if not present:
        return None
    kept = directory / PREVIOUS_FOLDER / str(_next_number(directory))
    make_folder(kept)
    for name in present:
        move(directory / name, kept / name)
    return kept


def keep_together(directory: Path, names: Iterable[str]) -> Path | None:
    """The same with files that belong together: `previous/<n>/` has all of them or isn't there.

    Killed half-way this leaves `previous/.<n>/`, which `finish_keeping` completes.
    """
    present = _present(directory, names)
    if not present:
        return None
    number = _next_number(directory)
    make_folder(directory / PREVIOUS_FOLDER / f".{number}")
    return _complete(directory, number, present)


def finish_keeping(directory: Path, names: Iterable[str]) -> None:
    """Complete what a killed process began to keep together, once it had moved a file; to be called first of all."""
    for half in (directory / PREVIOUS_FOLDER).glob(".*"):
        if not (number := half.name[1:]).isdecimal():
            continue
        if any(half.iterdir()):
            _complete(directory, int(number), _present(directory, names))
        else:
            remove_empty_folder(half)


def _complete(directory: Path, number: int, names: Iterable[str]) -> Path:
    half = directory / PREVIOUS_FOLDER / f".{number}"
    for name in names:
        move(directory / name, half / name)
    kept = half.with_name(str(number))
    move(half, kept)
    return kept


def _present(directory: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if os.path.lexists(directory / name)]


def _next_number(directory: Path) -> int:
    there = (path.name.removeprefix(".") for path in (directory / PREVIOUS_FOLDER).glob("*"))
    return max((int(name) for name in there if name.isdecimal()), default=0) + 1
