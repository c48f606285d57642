"""A run's provenance: the command that repeats it."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

from sweeper.config.grammar import value_text
from sweeper.report.places import without_path
from sweeper.runs.checks import Damaged
from sweeper.runs.identity import GROUPS, HUB, PRECISION, is_identity, named_precision
from sweeper.runs.record import read_run
from sweeper.runs.rows import Run
from sweeper.system.machine import DEVICE_KINDS

# Options on the command line that don't belong to the run itself, and that a repetition leaves out.
_NOT_REPEATED = ("outputs", "rerun", "fail_fast", "price_per_hour")
# An override of the run's options, not a flag or one of Hydra's. A command copied from someone else's record must not
# call code that the record names, nor resolve an interpolation.
_OVERRIDE = re.compile(r"(\+{1,2}|~)?(?!hydra\b)[A-Za-z][\w./@-]*(=.*)?")
_NAMES_CODE = re.compile(r"_target_|\bloader\s*[=:]|\$\{")


def read_words(run: Run) -> list[str]:
    """The command that repeats a run in words, see `repeat_words`; none if its record can't be read any more."""
    words, _ = _words_and_environment(run)
    return words


def cpu_threads(environment: dict[str, Any]) -> int | None:
    """With how many threads a run was trained on a CPU, on which its bits depend; None on another device.

    A command alone takes all cores, and one of many runs of a sweep had some of them.
    """
    threads = environment.get("threads")
    plain = isinstance(threads, int) and not isinstance(threads, bool) and threads > 0
    return threads if plain and environment.get("device") == "cpu" else None


def shown_command(run: Run) -> str:
    """The command that repeats a run, for a POSIX shell and without paths of this machine; "" if it isn't recorded.

    It names the device that the run had, also where `auto` chose it: on another one the result is another. It names the
    threads that a run on a CPU had, whatever was typed: one that goes on keeps those it began with.
    `read_words` doesn't: what trains another seed on this machine, as a confirmation does, has its own of both.
    """
    words, environment = _words_and_environment(run)
    if words:
        words = _on_device(words, environment.get("device"))
    if words and (threads := cpu_threads(environment)):
        words = [*(word for word in words if _key(word) != "device.threads"), f"device.threads={threads}"]
    return shlex.join(map(without_path, words))


def _on_device(words: list[str], kind: Any) -> list[str]:
    """The words with the kind of device that was used; as they are if it isn't recorded."""
    if kind not in DEVICE_KINDS:
        return words
    plain = {f"device={name}" for name in DEVICE_KINDS}
    words = [word for word in words if word not in plain and _key(word) != "device.kind"]
    own = any(_key(word) == "device" for word in words)  # a choice of the user's, which may have other options too
    return [*words, f"device.kind={kind}" if own else f"device={kind}"]


def _words_and_environment(run: Run) -> tuple[list[str], dict[str, Any]]:
    try:
        record = read_run(Path(run.path))
        config = _with_paths_from_here(record["config"], run.path)
        return repeat_words(config, record["environment"].get("overrides")), record["environment"]
    except Damaged:
        return [], {}


def _with_paths_from_here(config: dict[str, Any], directory: str) -> dict[str, Any]:
    """The configuration with the paths of data and labels as seen from the current folder.

    A data set that isn't there any more is looked for in its own place, except for a user's own folder of images.
    """
    changed = {}
    for group, name in (("dataset", "root"), ("noise", "file")):
        if isinstance(options := config.get(group), dict) and isinstance(path := options.get(name), str):
            place: str | None = os.path.normpath(os.path.join(directory, path))
            if group == "dataset" and options.get("name") != "folder" and not os.path.isdir(str(place)):
                place = None
            changed[group] = {**options, name: place}
    return {**config, **changed}


def repeat_words(config: dict[str, Any], overrides: Any) -> list[str]:
    """The command that repeats a run in words, with every value of its identity: defaults and presets may change.

    Args:
        overrides: as recorded, a list of texts, of which those outside the identity are repeated, such as `device=cpu`;
            anything else counts as not recorded, as for a run that failed early.

    Returns:
        The words; none if one isn't an override of a run's options, names code or is an interpolation.
    """
    known = isinstance(overrides, list) and all(isinstance(word, str) for word in overrides)
    recorded = [word for word in overrides if _key(word) not in _NOT_REPEATED] if known else []
    if isinstance(dataset := config.get("dataset"), dict):
        if known and "dataset.root" not in map(_key, recorded):
            config = {**config, "dataset": {**dataset, "root": None}}  # the data set's own place
        elif dataset.get("root") is None:
            recorded = [word for word in recorded if _key(word) != "dataset.root"]
    added = [f"{_key(word)}." for word in recorded if re.match(r"\+[^+]", word)]
    words = list(identity_words(config, by_name="optimizer=any" in recorded))
    said = set(map(_key, words))
    words = [f"+{word}" if _is_below(_key(word), added) and word[0] != "+" else word for word in words]
    last = {_key(word): word for word in recorded}  # an old record may have one twice, of which the last counted
    words += [word for word in last.values() if _is_kept(word) and _key(word) not in said]
    if any(not w.isprintable() or names_code(w) for w in (*words, *recorded)):
        return []
    return ["python", "-m", "sweeper.train", *words]


def names_code(word: str) -> bool:
    """Whether an override names code, or has an interpolation: one from a stranger's record isn't to be carried out."""
    return not _OVERRIDE.fullmatch(word) or _NAMES_CODE.search(word) is not None


def _key(word: str) -> str:
    """The name of the option that an override is of."""
    return word.partition("=")[0].lstrip("+~")


def _is_below(key: str, added: list[str]) -> bool:
    """Whether an option, which is no group, was added to its class's options, or a part of it was."""
    return key not in GROUPS and any(name.startswith(f"{key}.") for name in added)


def _is_kept(word: str) -> bool:
    """Whether a recorded override says what the values of the identity don't: that an option is taken away, or where
    and how the run was trained."""
    return word.startswith("~") or not (is_identity(_key(word)) or _key(word) == "experiment")


def identity_words(config: dict[str, Any], by_name: bool = False) -> list[str]:
    """Each group's choice, then each value of the identity, as overrides in Hydra's grammar.

    Args:
        by_name: the optimizer's class was chosen by `optimizer=any` and its name.
    """
    chosen = [g for g in GROUPS if is_identity(g) and isinstance(config.get(g), dict)]
    choices = {group: [f"{group}={value_text(config[group].get('name'))}"] for group in chosen}
    if by_name and "optimizer" in choices:
        name = str(config["optimizer"].get("_target_"))
        choices["optimizer"] = ["optimizer=any", f"optimizer.name={value_text(name)}"]
    if "dataset" in choices and config["dataset"].get("loader") == HUB:
        choices["dataset"] = ["dataset=hub", f"dataset.name={value_text(config['dataset'].get('name'))}"]
    words = [word for group in chosen for word in choices[group]]
    for key, value in config.items():
        if key in chosen:
            names = [k for k in value if k not in _OF_THE_CHOICE and _is_said(f"{key}.{k}", value[k])]
            plus = {k: "+" * (by_name and key == "optimizer" and k not in _OF_ANY) for k in names}
            words += [f"{plus[k]}{key}.{k}={value_text(value[k])}" for k in names]
        elif _is_said(key, value):
            words.append(f"{key}={value_text(value)}")
    if (precision := named_precision(config)) is not None:
        words.append(f"{PRECISION}={value_text(precision)}")
    return words


# Values that follow from the choice of a group or from a file.
_OF_THE_CHOICE = frozenset({"name", "_target_", "_partial_", "loader", "file_digest"})

_OF_ANY = ("lr", "weight_decay", "betas", "eps", "momentum")  # the options of conf/optimizer/any.yaml


def _is_said(name: str, value: Any) -> bool:
    return is_identity(name) or (name in ("target_accuracy", "noise.file", "dataset.root") and value is not None)
