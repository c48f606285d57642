"""Tables that lie beside those that a command wrote, and aren't what the same runs give."""

import re
import shlex
from collections.abc import Collection, Sequence
from math import isclose
from pathlib import Path

from sweeper.aggregate.contents import Contents
from sweeper.aggregate.points import stated_margin
from sweeper.runs.layout import FILES_OF, REFERENCES_FILE, SETUP_FILE
from sweeper.system.command import called
from sweeper.system.files import read_file
from sweeper.system.limits import TABLE_BYTES
from sweeper.system.paths import as_argument
from sweeper.system.text import listed

BINARY = "parquet"  # holds the versions of what wrote it, so it isn't compared
EDITED = (SETUP_FILE, REFERENCES_FILE)  # by whoever writes the paper, so they aren't compared
_CELLS = re.compile(r"([,\s]+)")


def describe_others(
    folder: Path, written: Collection[str], contents: Contents, outputs: Sequence[str], margin: float | None = None
) -> list[str]:
    """Lines that name them, with the command that makes them anew, one for each margin; none if there are none.

    Args:
        folder: where they lie.
        written: the names of those that needn't be looked at, since they are new.
        contents: of the runs in `outputs`.
        outputs: the folders of runs that the command was given.
        margin: of equivalence, as a share, that it was given; None: those of a form are taken with the margin that one
            of them states.
    """
    found: dict[float | None, dict[str, str]] = {}  # the form of each, by the margin
    for form, names in FILES_OF.items():
        looked_at = [name for name in names if name not in (*written, *EDITED) and (folder / name).is_file()]
        if form == BINARY or not looked_at:
            continue
        there = {name: _read(folder / name) for name in looked_at}
        stated = [m for has in there.values() if (m := stated_margin(has.decode(errors="replace"))) is not None]
        within = next(iter(stated), None) if margin is None else margin
        wanted = contents.files(form, within)
        if other := {name: form for name, has in there.items() if not _is_alike(has, wanted[name])}:
            found.setdefault(within, {}).update(other)
    return [_line(files, folder, outputs, within) for within, files in found.items()]


def _line(files: dict[str, str], folder: Path, outputs: Sequence[str], margin: float | None) -> str:
    within = [] if margin is None else ["--margin", f"{100 * margin:.12g}"]
    into = [] if str(folder) == outputs[0] else ["--into", as_argument(str(folder))]
    words = [*map(as_argument, outputs), *into, *within, "--format", ",".join(dict.fromkeys(files.values()))]
    given = " ".join([f"what the runs in {listed(outputs)} give", *(["with", *within] if within else [])])
    named = ", ".join(str(folder / name) for name in files)
    them = "it" if len(files) == 1 else "them"
    return f"not {given}: {named}; {called('aggregate')} {shlex.join(words)} makes {them} anew"


def _read(path: Path) -> bytes:
    """What can't be read is no table of these runs."""
    try:
        return read_file(path, TABLE_BYTES)
    except OSError:
        return b""


def _is_alike(found: bytes, wanted: bytes) -> bool:
    """Whether a table is the same but for the last digits of computed numbers, in which machines differ."""
    if found == wanted:
        return True
    ours, theirs = (_CELLS.split(content.decode(errors="replace")) for content in (found, wanted))
    return len(ours) == len(theirs) and all(a == b or _are_close(a, b) for a, b in zip(ours, theirs, strict=True))


def _are_close(a: str, b: str) -> bool:
    try:
        return "." in a + b and isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
    except ValueError:
        return False
