"""Folders of runs as a table: every run is one row, copies and repeats have none, unreadable runs are reported."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from sweeper.runs.arms import ArmsByFolder, Member
from sweeper.runs.confirmations import ConfirmationsByFolder
from sweeper.runs.copies import LeftOut, describe_repeats, merge
from sweeper.runs.identity import NAMED_AS_A_RUN
from sweeper.runs.layout import METRICS_FILE, PREVIOUS_FOLDER, RUN_FILE, RUN_FILES
from sweeper.runs.metrics import FROM_RESULT, METRICS
from sweeper.runs.rows import ARM, ASIDES, FROM_CONFIG, Run, damaged_row, read_row
from sweeper.runs.tuned_on import by_images
from sweeper.system.errors import BadInput, close_matches
from sweeper.system.text import printable

COLUMNS = (
    "run",  # its directory, relative to the folder of all runs
    "status",  # running, completed, diverged, pruned, failed, interrupted, or damaged: its record can't be read
    *FROM_CONFIG,
    "device",  # cuda, mps or cpu
    "precision",  # fp32, bf16 or fp16
    *FROM_RESULT,
    "versions_differ",  # trained with other library versions than most rows here
    "error",  # why it failed, diverged or is damaged, or which file isn't that of a finished run, in one line
)


@dataclass
class Results:
    """Runs in the table's order, and those that have no row since another run of the same name counts."""

    runs: list[Run]
    left_out: list[LeftOut] = field(default_factory=list)

    def columns(self) -> list[str]:
        """`COLUMNS`, the dotted names of all other config values in alphabetical order, those of `ASIDES` that any run
        has, then `arm` if a run is in one."""
        found = {name for run in self.runs for name in run.values}
        others = sorted(found - {*COLUMNS, *ASIDES, ARM})
        arm = [ARM] if any(run.arm for run in self.runs) else []
        return [*COLUMNS, *others, *(name for name in ASIDES if name in found), *arm]

    def repeats_of(self, runs: Iterable[Run]) -> str:
        """Which of these runs, rows of the table, were trained again, in the words of `copies.describe_repeats`."""
        counted = {run.path for run in runs}
        return describe_repeats(one for one in self.left_out if one.counts.path in counted)


def read_results(
    folders: Iterable[str | PathLike[str]], read: Callable[[str, str], Run] = read_row, none_ok: bool = False
) -> Results:
    """The runs below the folders. Of several of one configuration, seed and data one has a row, see `copies.merge`.

    With several folders, the column `outputs` names each row's folder as given here.

    Args:
        read: reads one run, as `rows.read_row` does.
        none_ok: accept a folder without runs.

    Raises:
        BadInput: a folder doesn't exist, can't be read or has no runs. A subfolder that can't be read is a row.
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
    return _results(runs)


def read_runs(directories: Iterable[str | PathLike[str]]) -> Results:
    """The runs in these directories, as `read_results` gives them.

    Raises:
        BadInput: one of them doesn't exist.
    """
    paths = list(map(str, directories))
    for path in paths:
        if not os.path.isdir(path):
            raise BadInput(
                f"{path}: there is no such run; load the results again, or go to the folder they were read in"
            )
    return _results([read_row(path, path) for path in paths])


def runs_in(runs: Iterable[Run], directories: Iterable[str | PathLike[str]]) -> list[Run]:
    """Those of the runs that lie in these directories, by whatever path."""
    places = {os.path.realpath(directory) for directory in directories if directory}
    return [run for run in runs if os.path.realpath(run.path) in places]


def _results(runs: list[Run]) -> Results:
    _find_comparisons(runs)
    kept, left_out = merge(runs)
    _compare_versions(kept)
    confirmations = ConfirmationsByFolder()
    for run in kept:
        run.confirms = confirmations.have(run.path)
    return Results(sorted(kept, key=_order), left_out)


def _check_folder(folder: Path) -> None:
    advice = "name one that sweeper.train has written runs into"
    try:
        with os.scandir(folder):
            return
    except (FileNotFoundError, ValueError):
        wrong = "there is no such folder"
        if "=" in folder.name:
            advice = "overrides are for sweeper.train; here name a folder of runs"
        elif (near := _near(folder)) is not None:
            advice = f"did you mean {near}?"
    except NotADirectoryError:
        wrong = "this is no folder"
    except OSError as error:
        wrong, advice = f"can't be read: {error.strerror or error}", "make it readable, or name another"
    raise BadInput(f"{folder}: {wrong}; {advice}")


def _near(folder: Path) -> Path | None:
    """The folder beside a missing one that is spelt most like it."""
    with contextlib.suppress(OSError, ValueError), os.scandir(folder.parent) as entries:
        close = close_matches(folder.name, sorted(entry.name for entry in entries if entry.is_dir()))
        return folder.with_name(close[0]) if close else None
    return None


def _read_folder(folder: str, seen: set[str], read: Callable[[str, str], Run]) -> Iterator[Run]:
    """Walk a folder and yield its runs, sorted by name.

    `seen` has the real paths of all folders walked so far. Links are followed last, and never to a folder in `seen`:
    neither a loop of links nor a folder given twice duplicates a run.
    """
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
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)  # `pending` is a stack
        except FileNotFoundError:
            continue  # removed while we looked
        except OSError as error:
            reason = f"the folder can't be read: {error.strerror or error}"
            yield damaged_row(path, name, reason, "make it readable")
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
    """Whether a folder is a run: it has a record or, if that is lost, a run's name and any of its files, or metrics.

    Other programs, too, write `.hydra/` and `checkpoint.pt`. A folder with `.hydra/` alone is a run that never started.
    """
    if RUN_FILE in names or (NAMED_AS_A_RUN.search(path) and names & RUN_FILES):
        return True
    file = os.path.join(path, METRICS_FILE)
    if METRICS_FILE not in names or not os.path.isfile(file):
        return False
    header = ",".join(METRICS).encode()
    try:
        with open(file, "rb") as opened:
            return opened.read(len(header)) == header
    except OSError:  # another program's file, which this user may not read
        return False


def _compare_versions(runs: list[Run]) -> None:
    """Fill the column `versions_differ`: whether a row's versions differ from the table's most common ones."""
    counts = Counter(run.versions for run in runs if run.versions)
    usual = max(counts, key=lambda versions: (counts[versions], versions), default=())
    for run in runs:
        run.values["versions_differ"] = run.versions != usual if run.versions else None


def _find_comparisons(runs: list[Run]) -> None:
    """Fill in which comparisons each run is in and the column `arm`, anew where a row was read before."""
    arms = ArmsByFolder()
    for run in runs:
        member = arms.of(run.path) or Member()
        run.values.pop(ARM, None)
        run.values |= {ARM: member.arm} if member.arm else {}
        folder = os.path.abspath(os.path.join(run.path, "..", ".."))
        run.comparisons = {(number, folder): arm for number, arm in member.arms.items()}
        recorded = run.values.get("tuned")
        run.unnamed = member.unnamed or not run.comparisons
        said = {by_images(words, run.conditions.get("data")) for words in member.tuned}
        run.tuned = frozenset(said) | ({str(recorded)} if recorded is not None else set())
        run.untuned = member.untuned or recorded is None


def _order(run: Run) -> tuple[Any, ...]:
    v = run.values
    if not run.configuration:
        return (1, v["run"])
    names = (v["dataset"], v["model"], v["noise"], v["noise_rate"] or 0, v["optimizer"], v["lr"] or 0)
    return (0, *names, run.configuration, v["seed"], v["run"])
