"""The checks of runs against each other: one content of each data set, one code, and no run twice."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sweeper.datasets.facts import DOWNLOADS, PUBLISHED, is_present
from sweeper.runs.rows import CODE_OF
from sweeper.system.errors import BadInput
from sweeper.verify.finding import Finding, note
from sweeper.verify.folder import Found
from sweeper.verify.run_checks import OWN_FILES

_READING = ("name", "loader", "image_size", "test_fraction")  # options of a data set that decide its content
_LOSSES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


def check_code(runs: Sequence[Found], where: str) -> Iterator[Finding]:
    """Which versions and commits the runs are of."""
    counts = Counter(_code(one) for one in runs)
    told = "; ".join(f"{code} ({n})" if len(counts) > 1 else code for code, n in counts.most_common())
    if runs:
        yield note(f"code: {told}", where)
    devices = Counter(
        f"{one.environment.get('device_name') or one.run.values['device']}, {one.run.values['precision']}"
        for one in runs
    )
    for what, found in (("trained on", devices), ("torch", Counter(one.run.conditions.get("torch") for one in runs))):
        if len(found) > 1:
            yield note(f"{what}: {', '.join(f'{name} ({n})' for name, n in found.most_common())}", where)
    yield from _check_own_code(runs, where)


def _check_own_code(runs: Sequence[Found], where: str) -> Iterator[Finding]:
    """Whether what is averaged was trained by one code of the user's own; of other runs it is a note."""
    modules: dict[str, Counter[str]] = {}
    seeds: dict[tuple[str, str], dict[str, Found]] = {}
    for one in runs:
        for name, code in one.run.conditions.items():
            if name.startswith(CODE_OF):
                modules.setdefault(name, Counter())[code] += 1
                seeds.setdefault((name, one.run.configuration), {}).setdefault(code, one)
    apart = {name for (name, _), found in seeds.items() if len(found) > 1}
    for name, counts in modules.items():
        told = f"{name}: {', '.join(f'{code} ({n})' for code, n in counts.most_common())}"
        if name in apart:
            what = f"{told}, among seeds of one configuration"
            yield Finding(what, where, "train those of other code again with rerun=true")
        elif len(counts) > 1:
            yield note(told, where)


def _code(one: Found) -> str:
    return f"sweeper {one.run.conditions.get('sweeper', '?')}, commit {one.environment.get('commit') or 'not recorded'}"


def check_data(runs: Sequence[Found], where: str, root: str | None) -> Iterator[Finding]:
    """Whether each data set has one content, and where it is on this machine the one that it has here.

    Args:
        root: the folder of data sets here; None for their own place.
    """
    groups: dict[str, list[Found]] = {}
    for one in runs:
        if one.digest is not None:
            dataset = one.record["config"]["dataset"]
            groups.setdefault(json.dumps([dataset.get(name) for name in _READING]), []).append(one)
    for group in groups.values():
        dataset = group[0].record["config"]["dataset"]
        counts = Counter(one.digest for one in group)
        usual = counts.most_common(1)[0][0] or ""
        for one in group:
            if one.digest != usual:
                what = f"its {dataset['name']} has another content than that of most runs here ({usual[:8]})"
                yield Finding(what, one.path, "train it on the same files, or give the data set a name of its own")
        here, why = _digest_here(dataset, root)
        told = f"data: {dataset['name']} {usual[:8]}"
        if here is None:
            yield note(f"{told}, not compared: {why}", where)
        elif here == usual:
            yield note(f"{told}, the same as on this machine", where)
        else:
            what = f"{dataset['name']} has another content ({usual[:8]}) than on this machine ({here[:8]})"
            yield Finding(what, where, "compare the files; one of both isn't the published data set")


def _digest_here(dataset: dict[str, Any], root: str | None) -> tuple[str | None, str]:
    """The content's hash of a published data set on this machine, or None and why not. It calls no code of a record."""
    own = {**dataset, "root": root, "validation_fraction": 0.0, "train_limit": None, "test_limit": None}
    if str(dataset.get("loader")) not in PUBLISHED or dataset.get("image_size") or dataset.get("test_fraction"):
        return None, "it isn't one of the published data sets"
    if not is_present(own):
        return None, f"it isn't in {root or DOWNLOADS}/ here; dataset.root=DIR says where it is"
    from sweeper.datasets.data import load_data  # imports torch

    try:
        none = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}
        return load_data({"image_size": None, "test_fraction": None, **own}, none).digest, ""
    except BadInput as error:
        return None, f"the files here can't be read: {error}"


def check_copies(runs: Sequence[Found]) -> Iterator[Finding]:
    """Runs that are there twice, and metrics that belong to another run."""
    first: dict[Any, Found] = {}
    for one in runs:
        known = first.setdefault((one.run.configuration, one.seed, one.digest), one)
        if known is not one:
            again = "" if _curve(one) == _curve(known) else ", trained again with another result"
            what = f"is the same run as {known.path}{again}"
            yield Finding(what, one.path, "keep one, or verify each folder by itself")
    curves: dict[Any, list[Found]] = {}
    for one in {id(one): one for one in first.values()}.values():
        curve = _curve(one)
        if curve and curve[0][0] == curve[0][0]:  # not NaN
            curves.setdefault(curve, []).append(one)
    for group in curves.values():
        for one in group[1:]:
            if one.content == group[0].content or one.seed != group[0].seed:
                yield Finding(f"its metrics are those of {group[0].path}", one.path, OWN_FILES)


def _curve(one: Found) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(row[name] for name in _LOSSES) for row in one.rows)
