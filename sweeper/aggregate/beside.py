"""Tables and a page that lie beside those that a command wrote, and aren't what the same runs give."""

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from sweeper.aggregate.contents import Contents
from sweeper.aggregate.page_mark import Mark, digest_of, read_mark
from sweeper.aggregate.points import stated_margin
from sweeper.runs.layout import FILES_OF, PAGE_FILE
from sweeper.system.command import called
from sweeper.system.files import read_file
from sweeper.system.limits import TABLE_BYTES
from sweeper.system.module_path import is_installed
from sweeper.system.paths import as_argument
from sweeper.system.text import listed

_FLOAT = re.compile(r"(-?(?:\d+\.\d+(?:e[+-]\d+)?|\d+e[+-]\d+))")


@dataclass(frozen=True)
class _Other:
    """A file to name.

    Attributes:
        form: of `FORMATS`; None: the page.
        margin: with which it is to be made anew.
        unread: why it couldn't be compared; "" if it differs.
    """

    path: Path
    form: str | None
    margin: float | None
    unread: str = ""


def describe_others(
    folder: Path, written: Collection[str], contents: Contents, outputs: Sequence[str], margin: float | None = None
) -> list[str]:
    """Lines that name them, with the command that makes them anew; none if there are none.

    A command that was given no margin takes them with the margin that they state.

    Args:
        folder: where they lie.
        written: the names of those that needn't be looked at, since they are new.
        contents: of the runs in `outputs`.
        outputs: the folders of runs that the command was given.
        margin: of equivalence, as a share, that it was given.
    """
    found = [*_tables(folder, written, contents, margin)]
    if PAGE_FILE not in written:
        found += _page(folder / PAGE_FILE, contents, margin)
    groups: dict[tuple[bool, bool], list[_Other]] = {}
    for one in found:
        groups.setdefault((bool(one.unread), one.form is None), []).append(one)
    return [_line(group, folder, outputs) for group in groups.values()]


def _tables(folder: Path, written: Collection[str], contents: Contents, margin: float | None) -> Iterator[_Other]:
    there: dict[str, dict[Path, bytes]] = {}
    unread: list[tuple[Path, str, str]] = []
    for form, path in ((form, folder / name) for form, names in FILES_OF.items() for name in names):
        if path.name in written or not path.is_file():
            continue
        try:
            content = read_file(path, TABLE_BYTES)
        except OSError as error:
            unread.append((path, form, _reason(error)))
            continue
        if form == "parquet" and not is_installed("pyarrow"):
            unread.append((path, form, "needs pyarrow"))
        else:
            there.setdefault(form, {})[path] = content
    if margin is None:
        stated = (stated_margin(_text(content)) for files in there.values() for content in files.values())
        margin = next(filter(None, stated), None)
    for form, files in there.items():
        wanted = contents.files(form, margin)
        yield from (_Other(path, form, margin) for path, has in files.items() if not _is_alike(has, wanted[path.name]))
    yield from (_Other(path, form, margin, why) for path, form, why in unread)


def _page(path: Path, contents: Contents, margin: float | None) -> Iterator[_Other]:
    if not path.is_file():
        return
    try:
        mark = read_mark(path)
    except OSError as error:
        yield _Other(path, None, margin, _reason(error))
        return
    if mark is None:
        yield _Other(path, None, margin, "it doesn't say of which runs it is")
        return
    wanted = Mark(digest_of(contents), mark.margin if margin is None else margin)
    if mark != wanted:
        yield _Other(path, None, wanted.margin)


def _line(group: Sequence[_Other], folder: Path, outputs: Sequence[str]) -> str:
    first = group[0]
    within = [] if first.margin is None else ["--margin", f"{100 * first.margin:.12g}"]
    into = [] if str(folder) == outputs[0] else ["--into", as_argument(str(folder))]
    words = [*map(as_argument, outputs), *into, *within]
    if first.form is None:
        command = f"{called('report')} {shlex.join(words)}"
    else:
        forms = ",".join(form for form in FILES_OF if any(one.form == form for one in group))
        command = f"{called('aggregate')} {shlex.join([*words, '--format', forms])}"
    them = "it" if len(group) == 1 else "them"
    files = ", ".join(f"{one.path}{f' ({one.unread})' if one.unread else ''}" for one in group)
    given = " ".join(["what the runs in", listed(outputs), "give", *(["with", *within] if within else [])])
    return f"not {'compared with ' * bool(first.unread)}{given}: {files}; {command} makes {them} anew"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


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
