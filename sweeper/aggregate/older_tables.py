"""Tables that an earlier command wrote in forms that the present one wasn't asked for."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from sweeper.runs.layout import FORMATS, PAPER_FILES, RUN_FILE
from sweeper.runs.rows import Run
from sweeper.system.command import called
from sweeper.system.files import when_written


def describe_older(
    folder: Path, written: Collection[str], outputs: Sequence[str], runs: Sequence[Run], margin: float | None = None
) -> list[str]:
    """A line that names those that are older than a run's record, and the command that makes them anew; none if there
    are none.

    Args:
        folder: where the tables lie.
        written: the names of those that this command wrote.
        margin: of equivalence, as a share, that this command was given.
        outputs: the folders of runs that it was given.
    """
    forms = {name: (file, *(PAPER_FILES if name == "latex" else ())) for name, file in FORMATS.items()}
    there = {
        name: when
        for names in forms.values()
        for name in names
        if name not in written and (when := when_written(folder / name)) is not None
    }
    if not there:
        return []
    latest = max((when_written(Path(run.path) / RUN_FILE) or 0 for run in runs), default=0)
    older = [name for name, when in there.items() if when < latest]
    if not older:
        return []
    formats = ",".join(form for form, names in forms.items() if not set(older).isdisjoint(names))
    into = [] if str(folder) == outputs[0] else ["--into", str(folder)]
    within = [] if margin is None else ["--margin", f"{100 * margin:g}"]
    command = f"{called('aggregate')} {shlex.join([*outputs, *into, *within])} --format {formats}"
    files = ", ".join(str(folder / name) for name in older)
    return [f"of earlier runs: {files}; {command} makes {'it' if len(older) == 1 else 'them'} anew"]
