"""Parses the words of `sweeper.train`: Hydra's flags, ours, and the overrides."""

import argparse
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from sweeper.config.suggestions import without_dashes
from sweeper.system.command import called
from sweeper.system.errors import BadInput


def parser() -> argparse.ArgumentParser:
    """Hydra's, with our flags."""
    hydras = get_args_parser()
    hydras.add_argument("--arm", action="append", default=[], help="NAME: OVERRIDES, crossed with the other axes")
    return hydras


def read_command_line(argv: list[str], command: str = "train") -> argparse.Namespace:
    """Parse Hydra's flags and the overrides, in any order.

    Raises:
        BadInput: a flag is unknown, or flags exclude each other.
    """
    ours = parser()

    def refuse(message: str) -> NoReturn:
        if message.startswith("unrecognized arguments") and (option := without_dashes(argv)) is not None:
            raise BadInput(f"{option[0]}: options have no dashes; write {option[1]}")
        raise BadInput(f"{message}; see {called(command)} --help")

    ours.error = refuse  # type: ignore[method-assign]  # argparse's own method prints a page of usage
    arguments = ours.parse_intermixed_args(argv)
    for flag in ("config_path", "experimental_rerun"):
        if getattr(arguments, flag, None):
            ours.error(f"--{flag.replace('_', '-')} isn't for this command; --config-dir adds groups of yours")
    if arguments.multirun and (arguments.cfg or arguments.info):
        ours.error(f"--{'cfg' if arguments.cfg else 'info'} shows one run's configuration; leave out -m")
    if (arguments.package or arguments.resolve) and not arguments.cfg:
        ours.error("--package and --resolve are for --cfg")
    return arguments
