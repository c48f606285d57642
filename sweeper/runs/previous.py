"""Keeps a run's earlier results and refused files under `previous/<n>/` in its directory."""

import os
from collections.abc import Iterable
from pathlib import Path

from sweeper.runs.layout import PREVIOUS_FOLDER
from sweeper.system.files import make_folder, move, remove_empty_folder


def keep_files(directory: Path, names: Iterable[str]) -> Path | None:
    """Move a run's files one by one into a new `previous/<n>/` and return it; None if none of them exists."""
    present = _present(directory, names)
    if not present:
        return None
    kept = directory / PREVIOUS_FOLDER / str(_next_number(directory))
    make_folder(kept)
    for name in present:
        move(directory / name, kept / name)
    return kept


def keep_together(directory: Path, names: Iterable[str]) -> Path | None:
    """Move files that belong together into a new `previous/<n>/`, which appears only with all of them.

    If killed half-way, it leaves `previous/.<n>/`, which `finish_keeping` completes.
    """
    present = _present(directory, names)
    if not present:
        return None
    number = _next_number(directory)
    make_folder(directory / PREVIOUS_FOLDER / f".{number}")
    return _complete(directory, number, present)


def finish_keeping(directory: Path, names: Iterable[str]) -> None:
    """Complete a `keep_together` that was killed after it had moved a file. Call it before other files are moved."""
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
