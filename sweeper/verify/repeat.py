"""Trains the sample of a folder again, and judges each run by its repeat."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeper.aggregate.grouping import group_runs
from sweeper.config.resolved import Cell
from sweeper.runs.checks import Damaged
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.record import read_run
from sweeper.system.child import run
from sweeper.system.text import counted, duration
from sweeper.verify.agreement import OPEN, Answer, Trained, judge
from sweeper.verify.folder import Found
from sweeper.verify.sample import CantRepeat, check_present, compose_again, draw, finals, key_of


def repeat(
    runs: Sequence[Found],
    size: int,
    into: Path,
    key: str | None,
    kept: bool,
    here: Sequence[str],
    say: Callable[[str], None],
) -> tuple[int, dict[str, Any]]:
    """Train `size` runs of the folder again and say of each whether it agrees.

    Args:
        kept: whether the folder `into` stays, so that the same command goes on there.
        here: overrides for this machine.
        say: prints a line.

    Returns:
        128 + the signal's number if one ended it, else 0; and the key with each run's answer.

    Raises:
        BadInput: a data set isn't on this machine, or `into` can't be used.
    """
    key = key_of(into if kept else None, key)
    drawn = draw(runs, size, key)
    took = duration(sum(one.run.values["train_seconds"] or 0 for one in drawn))
    runs_drawn = counted(len(drawn), "run")
    say(f"sample: {runs_drawn}, drawn by --key {key}; {took} of training, by the records")
    asked: list[tuple[Found, Cell, list[str]]] = []
    answers: dict[str, Answer] = {}
    for one in drawn:
        try:
            cell, words = compose_again(one, into, here)
        except CantRepeat as reason:
            answers[one.path] = Answer(OPEN, str(reason))
            continue
        check_present(cell)
        asked.append((one, cell, words))
    for one, cell, words in asked:
        code = run([sys.executable, "-m", "sweeper.train", *words])
        if code > 128:
            return code, {}
        answers[one.path] = _answer(one, cell.directory, _task(runs, one), len(drawn))
    for one in drawn:
        say(f"{answers[one.path].verdict}: {one.path}: {answers[one.path].why}")
    return 0, {"key": key, "runs": [{"run": path, **asdict(answer)} for path, answer in answers.items()]}


def _answer(one: Found, directory: Path, groups: list[list[Found]], size: int) -> Answer:
    try:
        again = Trained(read_run(directory), read_metrics(directory / METRICS_FILE)[0])
    except Damaged:
        return Answer(OPEN, "its training ended without a record here, for the reason above")
    return judge(Trained(one.record, one.rows), again, finals(groups, one), size)


def _task(runs: Sequence[Found], one: Found) -> list[list[Found]]:
    """The runs of the same task, by their settings."""
    by_run = {id(other.run): other for other in runs}
    for task in group_runs(other.run for other in runs):
        groups = [[by_run[id(run)] for run in group] for group in task.runs.values()]
        if any(one in group for group in groups):
            return groups
    return []
