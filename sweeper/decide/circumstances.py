"""Whether what a decision compares was trained on the same images, and in what else its runs were made otherwise."""

from collections.abc import Iterable
from typing import Any

from sweeper.config.arms import NO_ARM, Arm, naming, read_flags
from sweeper.config.targets import check_targets
from sweeper.datasets.here import ImagesHere, data_key, finished, own_process
from sweeper.decide.arms import Arms
from sweeper.runs.rows import CODE_OF, Run, read_row
from sweeper.system.errors import BadInput

_CONDITIONS = ("device", "precision")
_NO_VERDICT = "so there is no verdict"


def check_data(asked: Arms, here: ImagesHere | None = None) -> None:
    """Check that all runs have the same images, and those of the field: by what the runs recorded and, before the first
    is trained, by reading the images.

    Args:
        here: for runs that are still to be trained; None: nothing is read.

    Raises:
        BadInput: they have others; or, before a newcomer's first run, a package that it needs is missing.
    """
    by_hash = _recorded(asked)
    if asked.field is not None:
        other = by_hash.keys() - {asked.field.data}
        if not by_hash and here is not None:
            _check_packages(asked)
        if not other and here is not None:
            other = {here.hash(config) for _, config in _arms(asked)} - {"", asked.field.data}
        if other:
            hashes = f"hash {other.pop()}, the field's {asked.field.data}"
            raise BadInput(f"{asked.field.asked}: the images here are others ({hashes}), {_NO_VERDICT}")
        return
    if len(by_hash) > 1:
        told = "; ".join(f"hash {found}: {_named(of)}" for found, of in by_hash.items())
        again = "decide on one set of images in another folder: outputs=DIR"
        raise BadInput(f"{asked.outputs}: its runs are of different images ({told}), {_NO_VERDICT}; {again}")
    if here is not None:
        _check_here(asked, here, by_hash)


def describe_differences(asked: Arms) -> str:
    """A sentence on devices, precisions and versions that a field's runs and the newcomers', or the arms', don't share;
    "" if all are the same."""
    own = {arm: _circumstances(_runs(asked, arm)) for arm in asked.cells}
    if asked.field is None:
        told = _between_arms({arm: found for arm, found in own.items() if found})
    else:
        theirs = _circumstances(run for runs in asked.field.runs.values() for run in runs.values())
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


def _recorded(asked: Arms) -> dict[str, dict[str, list[int]]]:
    """The seeds of each arm's runs that have a result, by the hash of their images."""
    found: dict[str, dict[str, list[int]]] = {}
    for arm, by_seed in asked.cells.items():
        for cell, run in finished(by_seed.values()):
            if "data" in run.conditions:
                found.setdefault(run.conditions["data"], {}).setdefault(arm, []).append(cell.config["seed"])
    return found


def _named(seeds_of: dict[str, list[int]]) -> str:
    """`sgd with seeds 1, 2, lion with seed 1`"""
    return ", ".join(
        f"{arm} with seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}" for arm, seeds in seeds_of.items()
    )


def _check_here(asked: Arms, here: ImagesHere, by_hash: dict[str, dict[str, list[int]]]) -> None:
    """Check the images here against those of the runs or, where arms read other ones, against one another."""
    configs = {arm: next(iter(by_seed.values())).config for arm, by_seed in asked.cells.items()}
    if not by_hash and len(set(map(data_key, configs.values()))) == 1:
        return
    found = {arm: read for arm, config in configs.items() if (read := here.hash(config))}
    for known, of in by_hash.items():
        if other := set(found.values()) - {known}:
            told = f"(hash {other.pop()}) than those of {_named(of)} (hash {known})"
            back = "put those back, or decide in another folder: outputs=DIR"
            raise BadInput(f"the images here are others {told}, {_NO_VERDICT}; {back}")
    if len(set(found.values())) > 1:
        told = ", ".join(f"{arm} {read}" for arm, read in found.items())
        raise BadInput(f"the arms read other images (hashes: {told}), so their accuracies can't be compared")


def _check_packages(asked: Arms) -> None:
    """Raises BadInput if a package that a newcomer needs is missing, which is told before images are."""
    with own_process() as pool:
        for arm, config in _arms(asked):
            with naming(arm, by_group=True):
                pool.submit(check_targets, config).result()


def _runs(asked: Arms, arm: str) -> list[Run]:
    """An arm's runs that have a record."""
    directories = [cell.directory for cell in asked.cells[arm].values()]
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
