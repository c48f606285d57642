"""Folders of runs as a table: every run a row, none twice and none left out without a word."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.runs.identity import NAMED_AS_A_RUN
from sweeper.runs.layout import METRICS_FILE, PREVIOUS_FOLDER, RUN_FILE, RUN_FILES
from sweeper.runs.metrics import METRICS
from sweeper.runs.rows import FROM_CONFIG, FROM_RESULT, Run, damaged_row, read_row
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.system.text import printable

if TYPE_CHECKING:
    pass

COLUMNS = (
    "run",  # its directory, as seen from the folder of all runs
    "status",  # running, completed, diverged, pruned, failed, interrupted, or damaged: its record can't be read
    *FROM_CONFIG,
    "device",  # cuda, mps or cpu
    "precision",  # fp32, bf16 or fp16
    *FROM_RESULT,
    "versions_differ",  # made by other versions of the libraries than most rows here
    "error",  # the reason of a failure, a divergence or a damage, in a line
)


@dataclass
class Results:
    """Runs in the table's order. `merged` tells how many more copies of them there were."""

    runs: list[Run]
    merged: int = 0

    def columns(self) -> list[str]:
        """`COLUMNS`, then every other config value's dotted name in the order of the alphabet."""
        others = {name for run in self.runs for name in run.values} - set(COLUMNS)
        return [*COLUMNS, *sorted(others)]


def read_results(
    folders: "Iterable[str | PathLike[str]]", read: Callable[[str, str], Run] = read_row, none_ok: bool = False
) -> Results:
    """The runs below the folders; a run that stands in several is taken once, where it is whole and furthest.

    Of several folders, each row's cell `outputs` names its own as it was given here.

    Args:
        read: reads one run, as `rows.read_row` does.
        none_ok: a folder may have no runs yet.

    Raises:
        BadInput: a folder isn't there, can't be read or has no runs; one below that can't be read is a row.
    """
    runs: list[Run] = []
    seen: set[str] = set()
    places = list(map(Path, folders))
    for folder in places:
        _check_folder(folder)
        before = len(runs)
        runs += _read_folder(str(folder), seen, read)
        if len(set(places)) > 1:
            for run in runs[before:]:
                run.values["outputs"] = printable(str(folder))
        if not none_ok and len(runs) == before and not any(_is_below(run.path, folder) for run in runs):
            raise BadInput(f"{folder}: there are no runs in this folder; sweeper.train makes them")
    kept = _merge(runs)
    _compare_versions(kept)
    return Results(sorted(kept, key=_order), merged=len(runs) - len(kept))


def _check_folder(folder: Path) -> None:
    advice = "name one that sweeper.train has written runs into"
    try:
        with os.scandir(folder):
            return
    except (FileNotFoundError, ValueError):
        wrong = "there is no such folder"
    except NotADirectoryError:
        wrong = "this is no folder"
    except OSError as error:
        wrong, advice = f"can't be read: {error.strerror or error}", "make it readable, or name another"
    raise BadInput(f"{folder}: {wrong}; {advice}")


def _read_folder(folder: str, seen: set[str], read: Callable[[str, str], Run]) -> Iterator[Run]:
    """Walk a folder. `seen` has the real paths of all folders walked so far; links are followed last, and to a folder
    that was seen not at all, so neither a loop nor a folder given twice doubles a run. The order is that of the names,
    whatever the file system's is."""
    pending = [(folder, os.path.realpath(folder))]
    links: list[tuple[str, str]] = []
    while pending or links:
        path, real = pending.pop() if pending else links.pop()
        if real in seen:
            continue
        seen.add(real)
        name = os.path.relpath(path, folder)
        try:
            with os.scandir(path) as scan:
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)  # the last is taken up first
        except FileNotFoundError:
            continue  # removed while we looked
        except OSError as error:
            yield damaged_row(path, name, f"the folder can't be read: {error.strerror or error}")
            continue
        is_run = _is_run(path, {entry.name for entry in entries})
        if is_run:
            yield read(path, name)
        for entry in entries:
            if entry.name.startswith(".") or (is_run and entry.name == PREVIOUS_FOLDER):
                continue
            if entry.is_symlink():
                if os.path.isdir(entry.path):
                    links.append((entry.path, os.path.realpath(entry.path)))
            elif entry.is_dir():
                pending.append((entry.path, os.path.join(real, entry.name)))


def _is_below(path: str, folder: Path) -> bool:
    return folder.resolve() in (Path(path).resolve(), *Path(path).resolve().parents)


def _is_run(path: str, names: set[str]) -> bool:
    """A run has a record. One whose record is lost is told by its name and any other file of a run, or by its metrics:
    others' programs, too, leave `.hydra/` and `checkpoint.pt` behind. A folder with `.hydra/` alone was never begun."""
    if RUN_FILE in names or (NAMED_AS_A_RUN.search(path) and names & RUN_FILES):
        return True
    file = os.path.join(path, METRICS_FILE)
    if METRICS_FILE not in names or not os.path.isfile(file):
        return False
    header = ",".join(METRICS).encode()
    try:
        with open(file, "rb") as opened:
            return opened.read(len(header)) == header
    except OSError:  # another program's, which we may not read
        return False


def _merge(runs: list[Run]) -> list[Run]:
    """One row for each run: of the same configuration, seed and data, or, if it can't be read, of the same name."""
    groups: dict[tuple[str, Any], list[Run]] = {}
    for run in runs:
        if run.configuration:
            groups.setdefault((run.configuration, run.values["seed"]), []).append(run)
    kept: list[Run] = []
    for copies in groups.values():
        first = len(kept)
        for run in sorted(copies, key=_rank):
            data = run.conditions.get("data")
            others = {k.conditions.get("data") for k in kept[first:]}
            if not others or (data and None not in others and data not in others):
                kept.append(run)
    names = {_run_name(run) for run in kept}
    for run in runs:
        if not run.configuration and _run_name(run) not in names:
            kept.append(run)
            names.add(_run_name(run))
    return kept


def _run_name(run: Run) -> str:
    """The name that a run's directory has in any folder; one that isn't named as a run stands for itself alone."""
    name = os.path.basename(os.path.abspath(run.path))
    return name if NAMED_AS_A_RUN.search(name) else run.path


def _rank(run: Run) -> tuple[int, int, int]:
    """Smaller is further."""
    finished = {Status.COMPLETED: 0, Status.DIVERGED: 1}.get(run.status, 2)
    unfinished = (Status.RUNNING, Status.PRUNED, Status.INTERRUPTED, Status.FAILED)
    return finished, -run.epochs_done, unfinished.index(run.status) if finished == 2 else 0


def _compare_versions(runs: list[Run]) -> None:
    """Fill the column `versions_differ`: from the most common versions in the table."""
    counts = Counter(run.versions for run in runs if run.versions)
    usual = max(counts, key=lambda versions: (counts[versions], versions), default=())
    for run in runs:
        run.values["versions_differ"] = run.versions != usual if run.versions else None


def _order(run: Run) -> tuple[Any, ...]:
    v = run.values
    if not run.configuration:
        return (1, v["run"])
    names = (v["dataset"], v["model"], v["noise"], v["noise_rate"] or 0, v["optimizer"], v["lr"] or 0)
    return (0, *names, run.configuration, v["seed"], v["run"])
