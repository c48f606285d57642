"""The benchmarks' command lines: a wrong word is answered before anything begins, in one line and by no other."""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from sweeper.system.command import with_meant
from sweeper.system.machine import probe_kind


class Parser(argparse.ArgumentParser):
    """`--help` tells what the benchmark does; a wrong word ends it with exit code 2."""

    def __init__(self, module: str, description: str | None) -> None:
        super().__init__(
            prog=f"python -m benchmarks.{module}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {with_meant(message, self)}; see {self.prog} --help\n")

    def add_csv(self) -> None:
        self.add_argument("--csv", type=new_file, metavar="FILE", help="also write the figures there")

    def add_device(self, default: str = "auto") -> None:
        self.add_argument("--device", choices=("auto", "cuda", "cpu"), default=default)

    def find_device(self, asked: str) -> str:
        """The kind of device that `--device` asks for, which must be here."""
        if asked == "cpu":
            return asked
        kind = probe_kind()
        if asked == "cuda" and kind != "cuda":
            self.error("--device cuda: there is no GPU with CUDA here; use --device cpu")
        return kind


def count(text: str) -> int:
    """The type of an option that is a number of something: at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 on")
    return int(text)


def counts(text: str) -> list[int]:
    """Of one that is several such numbers, `1,2,3`."""
    return [count(part) for part in text.split(",")]


def seconds(text: str) -> float:
    """Of one that is a time."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: seconds above 0, such as 90")
    return value


def some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Of one that names some of these, `a,b`."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]}: unknown; there are {', '.join(known)}")
        return found

    return names


def new_file(text: str) -> Path:
    """Of one that names a file to be written, at the end of all that is measured."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text}: no file can be written there; name one in a folder that is there")
    return path


def folder(text: str) -> Path:
    """Of one that names a folder."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no such folder")
    return path
