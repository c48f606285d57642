"""Parses the words of `sweeper.train`: Hydra's flags, ours, and the overrides."""

import argparse
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from sweeper.system.errors import BadInput


def read_command_line(argv: list[str], command: str = "train") -> argparse.Namespace:
    """Parse Hydra's flags and the overrides, in any order.

    Raises:
        BadInput: a flag is unknown, or flags exclude each other.
    """
    parser = get_args_parser()
    parser.add_argument("--arm", action="append", default=[])

    def refuse(message: str) -> NoReturn:
        raise BadInput(f"{message}; see python -m sweeper.{command} --help")

    parser.error = refuse  # type: ignore[method-assign]  # argparse's own method prints a page of usage
    arguments = parser.parse_intermixed_args(argv)
    for flag in ("config_path", "experimental_rerun"):
        if getattr(arguments, flag, None):
            parser.error(f"--{flag.replace('_', '-')} isn't for this command; --config-dir adds groups of yours")
    if arguments.multirun and (arguments.cfg or arguments.info):
        parser.error(f"--{'cfg' if arguments.cfg else 'info'} shows one run's configuration; leave out -m")
    if (arguments.package or arguments.resolve) and not arguments.cfg:
        parser.error("--package and --resolve are for --cfg")
    return arguments
