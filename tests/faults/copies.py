"""The outputs folder as it is before each file operation of a command, which is where a kill may leave it.

`recording(folder)` is code for `forked.start`: run before a command, it copies `outputs/` into `folder/<k>/` before
whatever is written, moved, linked or removed below it, by sweeper or by Hydra, whenever the folder has changed since.
A file that is about to take another's place was just written: of it there is one more copy, cut in its middle.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import Damaged, recorded_status

RECORDING = """
import sys
sys.path.insert(0, {here!r})
import copies
copies.record({folder!r})
"""

EVENTS = ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")


def recording(folder: Path) -> str:
    return RECORDING.format(here=str(Path(__file__).parent), folder=str(folder))


def record(folder: str) -> None:
    """In the command's process: copy `outputs/` into numbered folders from now on."""
    import os
    import sys
    import threading

    from sweeper.system import lock

    lock.HEARTBEAT = lock.NEWS = 600.0  # so that no other thread writes while a copy is made
    outputs = os.path.abspath("outputs")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    state = threading.local()
    seen: set[str] = set()

    def copy(cut: str | None = None) -> None:
        target = Path(folder) / f"{len(seen):04}"
        shutil.copytree(outputs, target, symlinks=True)
        if cut is not None:
            file = target / os.path.relpath(cut, outputs)
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        mark = fingerprint(target)
        if mark in seen:
            shutil.rmtree(target)
        seen.add(mark)

    def hook(event: str, arguments: tuple) -> None:
        if event not in EVENTS or getattr(state, "busy", False) or not isinstance(arguments[0], (str, bytes, Path)):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(outputs + os.sep) or not os.path.isdir(outputs):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & writing):
            return
        state.busy = True
        try:
            copy()
            if event in ("os.rename", "os.link") and os.path.isfile(path) and os.path.basename(path)[0] == ".":
                copy(cut=path)
        finally:
            state.busy = False

    Path(folder).mkdir(parents=True)
    sys.addaudithook(hook)


def fingerprint(folder: Path) -> str:
    """Of all files' names and contents, but for the logs, which grow all the time, and what names a process."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = "-".join(part[:12] if part[0] == "." else part for part in path.relative_to(folder).parts)
        digest.update(f"{name}\n".encode())
        if path.is_file() and path.suffix != ".log":
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Copy:
    """The outputs folder as a kill would have left it.

    Attributes:
        reached: by run, the (epoch, step) of the best checkpoint that was ever complete until then, since the run was
            last trained anew.
        finished: the runs that were finished then.
    """

    path: Path
    reached: dict[str, tuple[int, int]]
    finished: frozenset[str]


def read_copies(folder: Path, begun: Path | None) -> Iterator[Copy]:
    """All copies in the order of their making.

    Args:
        begun: the outputs folder before the command; None for an empty one.
    """
    best: dict[str, tuple[int, int]] = {}
    kept_before: dict[str, list[str]] = {}
    for path in [*([begun] if begun else []), *sorted(folder.iterdir())]:
        finished = set()
        for run in path.glob("*/*-seed*"):
            name = run.relative_to(path).as_posix()
            aside = [kept.name for kept in run.glob("previous/*")]
            if aside != kept_before.get(name, []):  # from here on it is trained anew
                kept_before[name], best[name] = aside, (1, 0)
            if not any(number.startswith(".") for number in aside):
                best[name] = max(best.get(name, (1, 0)), position(run))
            if recorded_status(run) == "completed":
                finished.add(name)
        yield Copy(path, dict(best), frozenset(finished))


def position(run: Path) -> tuple[int, int]:
    """Of the best whole checkpoint in a run's directory; (1, 0) without one."""
    found = [(1, 0)]
    for name in CHECKPOINT_FILES:
        try:
            state = RunDirectory(run).load_checkpoint(name)
        except Damaged:
            continue
        if state is not None:
            found.append((state["epoch"], state["step"]))
    return max(found)
