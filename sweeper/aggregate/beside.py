"""Tables that lie beside those that a command wrote, and aren't what the same runs give."""

import re
import shlex
from collections.abc import Collection, Sequence
from math import isclose
from pathlib import Path

from sweeper.aggregate.contents import Contents
from sweeper.aggregate.points import stated_margin
from sweeper.runs.layout import FILES_OF
from sweeper.system.command import called
from sweeper.system.files import read_file
from sweeper.system.limits import TABLE_BYTES
from sweeper.system.module_path import is_installed
from sweeper.system.paths import as_argument
from sweeper.system.text import listed

_FLOAT = re.compile(r"(-?(?:\d+\.\d+(?:e[+-]\d+)?|\d+e[+-]\d+))")


def describe_others(
    folder: Path, written: Collection[str], contents: Contents, outputs: Sequence[str], margin: float | None = None
) -> list[str]:
    """A line that names them, with the command that makes them anew; none if there are none.

    Args:
        folder: where they lie.
        written: the names of those that needn't be looked at, since they are new.
        contents: of the runs in `outputs`.
        outputs: the folders of runs that the command was given.
        margin: of equivalence, as a share, that it was given; None: they are taken with the margin that they state.
    """
    forms = {form: names for form, names in FILES_OF.items() if form != "parquet" or is_installed("pyarrow")}
    there = {
        form: {name: _read(folder / name) for name in names if name not in written and (folder / name).is_file()}
        for form, names in forms.items()
    }
    if margin is None:
        margin = next(
            filter(None, (stated_margin(_text(has)) for files in there.values() for has in files.values())), None
        )
    found: dict[str, str] = {}  # the form of each
    for form, files in ((form, files) for form, files in there.items() if files):
        wanted = contents.files(form, margin)
        found |= {name: form for name, has in files.items() if not _is_alike(has, wanted[name])}
    if not found:
        return []
    within = [] if margin is None else ["--margin", f"{100 * margin:.12g}"]
    into = [] if str(folder) == outputs[0] else ["--into", as_argument(str(folder))]
    words = [*map(as_argument, outputs), *into, *within, "--format", ",".join(dict.fromkeys(found.values()))]
    given = " ".join([f"what the runs in {listed(outputs)} give", *(["with", *within] if within else [])])
    named = ", ".join(str(folder / name) for name in found)
    them = "it" if len(found) == 1 else "them"
    return [f"not {given}: {named}; {called('aggregate')} {shlex.join(words)} makes {them} anew"]


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
    ours, theirs = (_FLOAT.split(_text(content)) for content in (found, wanted))
    return len(ours) == len(theirs) and all(
        a == b or (bool(place % 2) and isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12))
        for place, (a, b) in enumerate(zip(ours, theirs, strict=True))
    )


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
