"""The BibTeX entries of the methods behind a paper's tables: the statistics' and the optimizers'."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("references.bib")
STATISTICS = ("tukey1953", "kramer1956", "piepho2004")  # of every comparison
SHARED = {"schedule_free_adamw": "schedule_free", "schedule_free_sgd": "schedule_free"}  # one paper, two optimizers

_ENTRY = re.compile(r"^@\w+\{([^,]+),\n.*?^\}", re.MULTILINE | re.DOTALL)


@cache
def entries() -> dict[str, str]:
    """Every entry by its key. An optimizer's key is its name in `conf/optimizer/`, unless several share a paper."""
    return {found[1]: found[0] for found in _ENTRY.finditer(FILE.read_text(encoding="utf-8"))}


def key_of(optimizer: str) -> str | None:
    """The key of an optimizer's paper; None for one that has no entry, such as an optimizer of your own."""
    key = SHARED.get(optimizer, optimizer)
    return key if key in entries() else None


def to_bibtex(keys: Iterable[str]) -> bytes:
    """The entries of these keys, each once."""
    return ("\n\n".join(entries()[key] for key in dict.fromkeys(keys)) + "\n").encode()
