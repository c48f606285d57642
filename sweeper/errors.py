"""The two ways in which a command ends early, and the words for them."""

import difflib
from collections.abc import Iterable


class BadInput(Exception):
    """Something the user gave can't be used. One line: what, where, what to do. Exit code 2."""


class RunFailed(Exception):
    """A run could not be carried on, for a reason that is known. One line. Exit code 1."""


def install(extra: str) -> str:
    """How to get an extra of this package, as the end of an error's line.

    >>> install("tune")
    "pip install 'optimizer-sweeper[tune]', or '.[tune]' from a clone"
    """
    return f"pip install 'optimizer-sweeper[{extra}]', or '.[{extra}]' from a clone"


def one_line(error: BaseException) -> str:
    """What an error of any package says, as a line.

    >>> one_line(ValueError("first\\nsecond"))
    'first second'
    """
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    return " ".join(str(error).split()) or type(error).__name__


def nearest(word: str, choices: Iterable[str]) -> str:
    """What `word` was probably meant to be, as the end of an error's line.

    >>> nearest("loin", ["lion", "adam"])
    "did you mean 'lion'? (there are: adam, lion)"
    """
    names = sorted(set(choices))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    listed = f"there are: {', '.join(names)}" if names else "there are none"
    return f"did you mean '{close[0]}'? ({listed})" if close else listed
