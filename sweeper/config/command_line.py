"""Reads a command line: Hydra's flags and the overrides, which are rewritten so that every process reads the same."""

import argparse
import re
import time
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import ChoiceSweep, Override

from sweeper.config.overrides import parse_overrides
from sweeper.config.schema import TEXTS
from sweeper.config.suggestions import otherwise, without_dashes
from sweeper.runs.identity import GROUPS
from sweeper.system.command import called, refuse_repeated, with_meant
from sweeper.system.errors import BadInput
from sweeper.system.paths import given_path

_NOW = re.compile(r"(?<!\\)\$\{\s*now\s*:\s*([^{}]*?)\s*\}")


def parser() -> argparse.ArgumentParser:
    """Hydra's, with our flags."""
    hydras = get_args_parser()
    hydras.add_argument("--arm", action="append", default=[], help="NAME: OVERRIDES, crossed with the other axes")
    refuse_repeated(hydras)
    return hydras


def read_command_line(argv: list[str], command: str = "train") -> argparse.Namespace:
    """Parse Hydra's flags and the overrides, in any order.

    Args:
        command: the command that got it, for error messages.

    Raises:
        BadInput: a flag is unknown, flags exclude each other, or an override doesn't follow Hydra's grammar.
    """
    ours = parser()

    def refuse(message: str) -> NoReturn:
        isnt_ours = message.startswith("unrecognized arguments") or "ignored explicit argument" in message
        if isnt_ours and (option := without_dashes(argv)) is not None:
            raise BadInput(f"{option[0]}: options have no dashes; write {option[1]}")
        for word in argv if isnt_ours else ():
            if word.startswith("-") and (how := otherwise(word.partition("=")[0])) is not None:
                raise BadInput(f"{word}: there is no such option: {how}")
        if message.startswith("ambiguous option: --config "):
            raise BadInput("--config: presets are experiment=NAME, and --config-dir DIR adds a folder of your own")
        raise BadInput(f"{with_meant(message, ours)}; see {called(command)} --help")

    ours.error = refuse  # type: ignore[method-assign]  # argparse's own method prints a page of usage
    arguments = ours.parse_intermixed_args(argv)
    if arguments.config_dir:
        arguments.config_dir = str(given_path(arguments.config_dir, "--config-dir "))
    for flag in ("config_path", "experimental_rerun"):
        if getattr(arguments, flag, None):
            ours.error(f"--{flag.replace('_', '-')} isn't for this command; --config-dir adds groups of yours")
    if asks := "--cfg" if arguments.cfg else "--info" if arguments.info else "":
        if arguments.multirun:
            ours.error(f"{asks} shows one run's configuration; leave out -m")
        for override in parse_overrides(arguments.overrides):
            if override.is_sweep_override():
                ours.error(f"{override.input_line}: {asks} shows one run's configuration; give one value")
    if (arguments.package or arguments.resolve) and not arguments.cfg:
        ours.error("--package and --resolve are for --cfg")
    began = time.localtime()
    parse_overrides(arguments.overrides)  # all of them: a value may have been parted from its option by a space
    arguments.overrides = [as_typed(at_one_time(text, began)) for text in arguments.overrides]
    return arguments


def at_one_time(text: str, began: time.struct_time) -> str:
    """An override with the command's time in place of `${now:…}`, which each process would resolve differently.

    >>> at_one_time("outputs=runs/${now:%Y-%m-%d}", time.gmtime(0))
    'outputs=runs/1970-01-01'
    """
    return _NOW.sub(lambda found: time.strftime(found[1].strip("'\""), began), text)


def as_typed(text: str) -> str:
    """An override of a text option or a group, with quotes around values that Hydra would read as a number or a bool.

    >>> as_typed("tag=1e5,007"), as_typed("epochs=1e5")
    ("tag='1e5',007", 'epochs=1e5')
    """
    name, given, value = text.partition("=")
    if not given or name.lstrip("+") not in (*TEXTS, *GROUPS, "experiment"):
        return text
    (override,) = parse_overrides([text])
    values = _values(override)
    pieces = value.split(",")
    if len(pieces) != len(values) or not any(map(_is_misread, values)):
        return text
    quoted = (f"'{p.strip()}'" if _is_misread(v) else p for p, v in zip(pieces, values, strict=True))
    return f"{name}={','.join(quoted)}"


def _values(override: Override) -> list[Any]:
    value = override.value()
    if isinstance(value, ChoiceSweep) and value.simple_form:
        return list(value.list)
    return [value]


def _is_misread(value: Any) -> bool:
    return isinstance(value, (bool, int, float))
