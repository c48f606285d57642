"""The two errors that end a command, and helpers that phrase them in one line."""

import difflib
import re
from collections.abc import Iterable, Sequence

from sweeper.system.text import printable, shortened, times

# What other programs call our options and choices.
ALIASES = {
    "learning_rate": "lr",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "gpu": "cuda",
    "metal": "mps",
    "none": "constant",  # schedule
    "float32": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
    "md": "markdown",
}
MOST_NAMES = 20  # in an error message; of more choices the nearest are named
# What a user's code may raise when it is imported or called; a KeyboardInterrupt ends the command.
OF_USERS_CODE = (Exception, SystemExit, GeneratorExit)


class BadInput(Exception):
    """Something the user gave can't be used. One line: what, where, what to do. Exit code 2."""


class RunFailed(Exception):
    """A run could not continue, for a known reason. One line. Exit code 1."""


def install(extra: str) -> str:
    """How to install an extra of this package; for the end of an error message.

    >>> install("tune")
    "pip install 'optimizer-sweeper[tune]', or '.[tune]' from a clone"
    """
    return f"pip install 'optimizer-sweeper[{extra}]', or '.[{extra}]' from a clone"


def one_line(error: BaseException) -> str:
    """The message of any exception, in one line.

    >>> one_line(ValueError("first\\nsecond"))
    'first second'
    """
    return printable(" ".join(message_of(error).split())) or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of an exception's message; Hydra, torch and Optuna append a list or a trace. One that ends in a
    colon is continued by the next.

    >>> first_line(ValueError("first\\nsecond")), first_line(ValueError("not found:\\n\\n  second\\nthird"))
    ('first', 'not found: second')
    """
    first, *others = (message_of(error).strip() or type(error).__name__).splitlines()
    if first.rstrip().endswith(":"):
        first = " ".join([first.rstrip(), *[line.strip() for line in others if line.strip()][:1]])
    return printable(first.rstrip().rstrip(":")).strip()


def message_of(error: BaseException) -> str:
    """An exception's whole message. One of a user's own class may fail to give it; then its class must do."""
    try:
        return f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
    except OF_USERS_CODE:
        return ""


def named(error: BaseException) -> str:
    """An exception's class and the first line of its message.

    >>> named(ValueError("first\\nsecond")), named(ValueError()), named(SystemExit(3))
    ('ValueError: first', 'ValueError', 'SystemExit: sys.exit(3)')
    """
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"


def repeated(name: str, values: Sequence[str]) -> str:
    """What is wrong with something that is given more than once; each value is shown as it was typed.

    >>> repeated("--margin", ["0.2", "0.5"])
    '--margin is given twice: 0.2 and 0.5; give one'
    """
    first, last = [shortened(value, 40) for value in values[:-1]], shortened(values[-1], 40)
    return f"{name} is given {times(len(values))}: {', '.join(first)} and {last}; give one"


def squeezed(word: str) -> str:
    """Without case and separators.

    >>> squeezed("CIFAR-10")
    'cifar10'
    """
    return re.sub(r"[\W_]", "", word.lower())


def nearest(word: str, choices: Iterable[str], listed_by: str = "") -> str:
    """The choice that `word` probably meant, and all choices, or of more than `MOST_NAMES` the nearest few; for the end
    of an error message.

    Of dotted names only the last part is compared: a common prefix such as `optimizer.` would make all of them similar.

    Args:
        listed_by: a command that lists all choices, named where not all are.

    >>> nearest("loin", ["lion", "adam"])
    "did you mean 'lion'? (there are: adam, lion)"
    >>> nearest("Fashion-MNIST", ["fashion_mnist", "mnist"])
    "did you mean 'fashion_mnist'? (there are: fashion_mnist, mnist)"
    >>> nearest("optimizer.learning_rate", ["optimizer.lr", "optimizer.dampening"])
    "did you mean 'optimizer.lr'? (there are: optimizer.dampening, optimizer.lr)"
    >>> nearest("loin", ["lion", "lio", *(f"other{k}" for k in range(30))], "--help")
    "did you mean 'lion'? (others like it: lio; --help lists all)"
    """
    names = sorted(set(choices))
    close = nearest_of(word, names)
    listed = f"there are: {', '.join(names)}" if names else "there are none"
    if len(names) > MOST_NAMES:
        few = [name for name in difflib.get_close_matches(word, names, n=4, cutoff=0.5) if name != close][:3]
        like = f"others like it: {', '.join(few)}" if close else f"like it: {', '.join(few)}"
        rest = f"{listed_by} lists all" if listed_by else f"there are {len(names)}"
        listed = "; ".join([*([like] if few else []), rest])
    return f"did you mean '{close}'? ({listed})" if close else listed


def like_flag(flag: str, flags: Iterable[str]) -> str | None:
    """The flag that a wrong one probably meant: one that is spelt alike, or of which it is the beginning or the end.

    >>> like_flag("--seeds", ["--most-seeds", "--looks"]), like_flag("--frmat=csv", ["--format"])
    ('--most-seeds', '--format')
    """
    name = flag.partition("=")[0].lstrip("-").lower()
    names = {known.lstrip("-"): known for known in flags if known.startswith("--")}
    other = {"output": "into", "out": "into", "outdir": "into"}.get(name, "")
    close = close_matches(name, names, cutoff=0.75)
    ends = [known for known in names if len(name) > 2 and (known.startswith(name) or known.endswith(f"-{name}"))]
    return next((names[found] for found in (other, *close, *ends) if found in names), None)


def close_matches(word: str, names: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The name that is spelt most like a word, if one is: first one in which two neighbouring letters are swapped.

    >>> close_matches("adma", ["adan", "adam"]), close_matches("lino", ["lion"]), close_matches("xyz", ["lion"])
    (['adam'], ['lion'], [])
    """
    names = list(names)
    swaps = {word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1)}
    return [name for name in names if name in swaps][:1] or difflib.get_close_matches(word, names, n=1, cutoff=cutoff)


def nearest_of(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` probably meant; None if none is like it.

    >>> nearest_of("loin", ["lion", "adam"]), nearest_of("xyz", ["lion", "adam"])
    ('lion', None)
    """
    names = sorted(set(choices))
    head = word[: word.rfind(".") + 1]
    if not any(name.startswith(head) for name in names):
        head = ""
    part, parts = word.removeprefix(head), [name.removeprefix(head) for name in names if name.startswith(head)]
    alike = [
        ALIASES.get(part.lower().removesuffix(":0"), ""),
        *(name for name in parts if part and squeezed(name) == squeezed(part)),
    ]
    alike += close_matches(part, parts) or close_matches(part.lower(), parts)
    alike += [name for name in parts if part and name.startswith(part)]
    return next((head + name for name in alike if name in parts), None)
