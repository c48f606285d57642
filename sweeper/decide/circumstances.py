"""Whether newcomers are trained on a field's images, and in what else their runs were made otherwise."""

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from sweeper.config.arms import NO_ARM, Arm, naming, read_flags
from sweeper.config.targets import check_targets
from sweeper.decide.arms import Arms
from sweeper.runs.rows import CODE_OF, Run, read_row
from sweeper.system.errors import BadInput
from sweeper.system.parent import end_with_parent

_CONDITIONS = ("device", "precision")


def check_data(asked: Arms) -> None:
    """Check that newcomers have the field's images: by what their runs recorded or, before the first run, by reading
    them.

    Raises:
        BadInput: they have others; or, before the first run, a package that they need is missing.
    """
    if asked.field is None:
        return
    found = {run.conditions["data"] for run in _runs(asked) if "data" in run.conditions}
    other = (found or _read_here(_arms(asked))) - {asked.field.data}
    if other:
        hashes = f"hash {other.pop()}, the field's {asked.field.data}"
        raise BadInput(f"{asked.field.asked}: the images here are others ({hashes}), so there is no verdict")


def describe_differences(asked: Arms) -> str:
    """A sentence on devices, precisions and versions that the field's runs and the newcomers' don't share; "" if all
    are the same."""
    if asked.field is None or not (own := _runs(asked)):
        return ""
    theirs = _circumstances(run for runs in asked.field.runs.values() for run in runs.values())
    here = _circumstances(own)
    both = {name for name in theirs.keys() & here.keys() if name.startswith(CODE_OF)}
    told = [
        f"{name} {_listed(theirs.get(name))} in the field, {_listed(here.get(name))} here"
        for name in dict.fromkeys([*theirs, *here])
        if theirs.get(name) != here.get(name) and (name in both or not name.startswith(CODE_OF))
    ]
    return f"Not made alike: {'; '.join(told)}." if told else ""


def _runs(asked: Arms) -> list[Run]:
    """The newcomers' runs that have a record."""
    directories = [cell.directory for by_seed in asked.cells.values() for cell in by_seed.values()]
    rows = [read_row(str(directory), directory.name) for directory in directories if directory.is_dir()]
    return [run for run in rows if run.configuration]


def _circumstances(runs: Iterable[Run]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for run in runs:
        code = {name: value for name, value in run.conditions.items() if name.startswith(CODE_OF)}
        named = {name: run.conditions.get(name) for name in _CONDITIONS} | code
        for name, value in (*named.items(), *run.versions):
            if value:
                found.setdefault(name, set()).add(value)
    return found


def _listed(values: set[str] | None) -> str:
    return " and ".join(sorted(values)) if values else "not recorded"


def _arms(asked: Arms) -> list[tuple[Arm, dict[str, Any]]]:
    """Each newcomer's overrides with the configuration of one of its runs."""
    flags = {arm.name: arm for arm in read_flags([f"{name}: {flag}" for name, flag in asked.words.items()])}
    return [(flags.get(name, NO_ARM), next(iter(by_seed.values())).config) for name, by_seed in asked.cells.items()]


def _read_here(arms: list[tuple[Arm, dict[str, Any]]]) -> set[str]:
    """The hash of the images, read by a process of its own; none if they aren't here, as for a cluster's runs.

    Raises:
        BadInput: a package that a newcomer needs is missing, which is told before images are.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, _begin, (os.getpid(),)) as pool:
        for arm, config in arms:
            with naming(arm, by_group=True):
                pool.submit(check_targets, config).result()
        try:
            return {pool.submit(_digest, arms[0][1]).result()[:8]}  # as rows have it
        except BadInput:
            return set()


def _begin(parent: int) -> None:
    end_with_parent(parent, stop=lambda: None, busy=lambda: False)


def _digest(config: dict[str, Any]) -> str:
    from sweeper.datasets.data import load_run_data

    return load_run_data(config).digest
