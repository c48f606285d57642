"""Whether what a decision compares was trained on the same images, and in what else its runs were made otherwise."""

from collections.abc import Collection, Iterable
from typing import Any

from sweeper.config.arms import NO_ARM, naming, read_flags
from sweeper.config.resolved import Cell
from sweeper.config.targets import check_targets
from sweeper.datasets.here import ImagesHere, data_key, finished, own_process
from sweeper.decide.arms import Arms
from sweeper.decide.judge import Decision
from sweeper.decide.words import seeds_words
from sweeper.runs.rows import CODE_OF, Run
from sweeper.system.errors import BadInput

_CONDITIONS = ("device", "precision")
_NO_VERDICT = "so there is no verdict"


def check_data(asked: Arms, decision: Decision, here: ImagesHere | None = None) -> None:
    """Check that all runs that a decision looks at have the same images, and those of the field: by what the runs
    recorded and, before more are trained, by reading the images.

    Args:
        here: for the runs that it waits for; None: nothing is read.

    Raises:
        BadInput: they have others; or, before a newcomer's first run, a package that it needs is missing.
    """
    by_hash = _recorded(asked, decision)
    if asked.field is not None:
        if other := by_hash.keys() - {asked.field.data}:
            raise BadInput(_not_the_fields(asked, other.pop()))
        if here is not None:
            check_newcomers(asked, decision.waits, here, begun=bool(by_hash))
        return
    if len(by_hash) > 1:
        told = "; ".join(f"hash {found}: {seeds_words(of)}" for found, of in by_hash.items())
        again = "decide on one set of images in another folder: outputs=DIR"
        raise BadInput(f"{asked.outputs}: its runs are of different images ({told}), {_NO_VERDICT}; {again}")
    if here is not None:
        _check_here(asked, decision.waits, here, by_hash)


def check_newcomers(asked: Arms, names: Collection[str], here: ImagesHere, begun: bool = False) -> None:
    """Check that newcomers which are about to be trained would read the field's images.

    Args:
        begun: one was trained already, so their packages are there.

    Raises:
        BadInput: they would read others, or a package is missing, which is told before images are.
    """
    assert asked.field is not None
    if not begun:
        _check_packages(asked, names)
    if other := {here.hash(_config(asked, name)) for name in names} - {"", asked.field.data}:
        raise BadInput(_not_the_fields(asked, other.pop()))


def describe_differences(asked: Arms, decision: Decision) -> str:
    """A sentence on devices, precisions and versions that a field's runs and the newcomers', or the arms', don't share,
    of the runs that a decision looks at; "" if all are the same."""
    own = {arm: _circumstances(run for _, run in finished(_looked_at(asked, decision, arm))) for arm in asked.cells}
    if asked.field is None:
        told = _between_arms({arm: found for arm, found in own.items() if found})
    else:
        theirs = _circumstances(
            runs[seed] for name, runs in asked.field.runs.items() for seed in asked.seeds[: decision.seeds_of(name)]
        )
        told = _from_field(theirs, _together(own.values())) if any(own.values()) else []
    return f"Not made alike: {'; '.join(told)}." if told else ""


def _from_field(theirs: dict[str, set[str]], here: dict[str, set[str]]) -> list[str]:
    both = {name for name in theirs.keys() & here.keys() if name.startswith(CODE_OF)}
    return [
        f"{name} {_listed(theirs.get(name))} in the field, {_listed(here.get(name))} here"
        for name in dict.fromkeys([*theirs, *here])
        if theirs.get(name) != here.get(name) and (name in both or not name.startswith(CODE_OF))
    ]


def _between_arms(own: dict[str, dict[str, set[str]]]) -> list[str]:
    """Of each circumstance that differs its values, and of which arms they are unless all arms have them all."""
    told = []
    for name, values in _together(own.values()).items():
        arms: dict[str, list[str]] = {}
        for arm, found in own.items():
            if name in found or not name.startswith(CODE_OF):  # not every arm calls each module of one's own
                arms.setdefault(_listed(found.get(name)), []).append(arm)
        if len(arms) > 1:
            each = [f"{value} ({', '.join(of)})" for value, of in arms.items()]
            told.append(f"{name} {', '.join(each)}")
        elif len(values) > 1:
            told.append(f"{name} {_listed(values)}")
    return told


def _together(each: Iterable[dict[str, set[str]]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in each:
        for name, values in one.items():
            found.setdefault(name, set()).update(values)
    return found


def _looked_at(asked: Arms, decision: Decision, arm: str) -> list[Cell]:
    """An arm's runs of the looks; others may lie in the folder, which decide nothing."""
    return [asked.cells[arm][seed] for seed in asked.seeds[: decision.seeds_of(arm)]]


def _recorded(asked: Arms, decision: Decision) -> dict[str, dict[str, list[int]]]:
    """The seeds of each arm's runs that have a result, by the hash of their images."""
    found: dict[str, dict[str, list[int]]] = {}
    for arm in asked.cells:
        for cell, run in finished(_looked_at(asked, decision, arm)):
            if "data" in run.conditions:
                found.setdefault(run.conditions["data"], {}).setdefault(arm, []).append(cell.config["seed"])
    return found


def _not_the_fields(asked: Arms, found: str) -> str:
    assert asked.field is not None
    hashes = f"hash {found}, the field's {asked.field.data}"
    return f"{asked.field.asked}: the images here are others ({hashes}), {_NO_VERDICT}"


def _check_here(
    asked: Arms, waits: Collection[str], here: ImagesHere, by_hash: dict[str, dict[str, list[int]]]
) -> None:
    """Check the images that waiting arms would read against those of the runs or, where they differ, one another."""
    configs = {arm: _config(asked, arm) for arm in waits}
    if not by_hash and len(set(map(data_key, configs.values()))) == 1:
        return
    found = {arm: read for arm, config in configs.items() if (read := here.hash(config))}
    for known, of in by_hash.items():
        if other := set(found.values()) - {known}:
            told = f"(hash {other.pop()}) than those of {seeds_words(of)} (hash {known})"
            back = "put those back, or decide in another folder: outputs=DIR"
            raise BadInput(f"the images here are others {told}, {_NO_VERDICT}; {back}")
    if len(set(found.values())) > 1:
        told = ", ".join(f"{arm} {read}" for arm, read in found.items())
        raise BadInput(f"the arms read other images (hashes: {told}), so their accuracies can't be compared")


def _check_packages(asked: Arms, names: Collection[str]) -> None:
    """Raises BadInput if a package that a newcomer needs is missing."""
    flags = {arm.name: arm for arm in read_flags([f"{name}: {flag}" for name, flag in asked.words.items()])}
    with own_process("importing what the newcomers name") as pool:
        for name in names:
            with naming(flags.get(name, NO_ARM), by_group=True):
                pool.submit(check_targets, _config(asked, name)).result()


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


def _config(asked: Arms, arm: str) -> dict[str, Any]:
    """The configuration of one of an arm's runs; they differ in the seed alone."""
    return next(iter(asked.cells[arm].values())).config
