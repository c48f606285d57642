"""What to type here instead of what other programs take, such as `lr=0.1`, `--optimizer adam` and `seed=1-3`."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

from sweeper.config.schema import Config
from sweeper.system.errors import squeezed

# Other programs' names for our options, without case and separators.
NAMES = {
    "lr": "optimizer.lr",
    "learningrate": "optimizer.lr",
    "wd": "optimizer.weight_decay",
    "l2": "optimizer.weight_decay",
    "weightdecay": "optimizer.weight_decay",
    "momentum": "optimizer.momentum",
    "betas": "optimizer.betas",
    "eps": "optimizer.eps",
    "nesterov": "optimizer.nesterov",
    "numepochs": "epochs",
    "maxepochs": "epochs",
    "bs": "batch_size",
    "seeds": "seed",
    "scheduler": "schedule",
    "lrscheduler": "schedule",
    "arch": "model",
    "noiserate": "noise.rate",
    "numworkers": "dataset.workers",
    "datadir": "dataset.root",
    "outputdir": "outputs",
    "launcher": "hydra/launcher",
    "njobs": "hydra.launcher.n_jobs",
}
OWN_IMAGES = ("imagenet", "imagenet1k", "tinyimagenet", "imagenette", "imagefolder", "custom")
# The groups whose options are often typed without the group, the most usual first.
_GROUPS = ("optimizer.", "dataset.", "device.", "noise.", "schedule.", "model.")
_ALIKE = 0.8


def option(key: str, known: Iterable[str]) -> str | None:
    """The option that an unknown name without a dot means, by `NAMES` or as one of a group's; None if it is neither.

    It may be one that this optimizer lacks, as SGD does `betas`.

    >>> option("learning_rate", ["optimizer.lr", "seed"]), option("weigth_decay", ["optimizer.weight_decay"])
    ('optimizer.lr', 'optimizer.weight_decay')
    >>> option("sede", ["optimizer.lr", "seed"])
    """
    if (named := NAMES.get(squeezed(key))) is not None:
        return named
    known = list(known)
    plain = {name: name for name in known if "." not in name}
    inner = {
        name.removeprefix(group): name
        for group in reversed(_GROUPS)
        for name in known
        if name.startswith(group) and name.count(".") == 1 and not name.startswith((f"{group}_", f"{group}name"))
    }
    close = difflib.get_close_matches(key.lower(), inner | plain, n=1, cutoff=_ALIKE)
    return inner.get(close[0]) if close and close[0] not in plain else None


def choice(group: str, value: object) -> str | None:
    """The overrides that a value which is no choice of the group means; None if it is only misspelt.

    >>> choice("noise", 0.2), choice("dataset", "ImageNet")
    ('noise=symmetric noise.rate=0.2', 'dataset=folder dataset.root=DIR')
    """
    text = str(value).strip("'\"")
    if group == "noise" and re.fullmatch(r"[01]|[01]?\.\d+|1\.0*", text) and 0 <= (rate := float(text)) <= 1:
        return f"noise=symmetric noise.rate={rate:g}" if rate else "noise=none"
    if group == "dataset" and squeezed(text) in OWN_IMAGES:
        return "dataset=folder dataset.root=DIR"
    if group == "dataset" and "/" in text:
        return f"dataset=folder dataset.root={text}"
    return None


def integer(name: str, text: str) -> str:
    """What to type for an integer option that was given as `text`; the end of an error message.

    >>> integer("epochs", "1e3"), integer("seed", "1-3"), integer("epochs", "ten")
    ('; write epochs=1000', "; several are a sweep, -m 'seed=range(1,4)'", '')
    """
    if span := re.fullmatch(r"(\d+)(?:-|\.\.\.?|:)(\d+)", text):
        first, last = map(int, span.groups())
        return f"; several are a sweep, -m '{name}=range({first},{last + 1})'" if first < last else ""
    if listed := re.fullmatch(r"\[(\d+(?:, *\d+)+)\]", text):
        return f"; several are a sweep, -m {name}={listed[1].replace(' ', '')}"
    try:
        number = float(text)
    except ValueError:
        return "; several are a sweep, -m seed=1,2,3" if name == "seed" else ""
    return f"; write {name}={int(number)}" if number.is_integer() and abs(number) < 2**53 else ""


def without_dashes(words: list[str]) -> tuple[str, str] | None:
    """The first option that is written as a flag, as it was typed, and as an override; None if no word is one.

    >>> without_dashes(["--optimizer", "adam"]), without_dashes(["--lr=0.1"]), without_dashes(["--multirun"])
    (('--optimizer adam', 'optimizer=adam'), ('--lr=0.1', 'optimizer.lr=0.1'), None)
    """
    for k, word in enumerate(words):
        flag, given, value = word.partition("=")
        name = _known(flag.lstrip("-").replace("-", "_")) if flag.startswith("--") else None
        if name is None:
            continue
        values = [value] if given else list(_values(words[k + 1 :]))
        typed = " ".join([word, *([] if given else values)])
        sweep = "-m " if len(values) > 1 else ""
        return typed, f"{sweep}{name}={','.join(values) or 'VALUE'}"
    return None


def next_values(text: str, following: list[str]) -> str | None:
    """What to type for an override that ends early: a word without a value, or a comma with nothing behind it.

    >>> next_values("optimizer=adam,", []), next_values("optimizer=adam,", ["sgd"]), next_values("epochs", ["10"])
    ('optimizer=adam', '-m optimizer=adam,sgd', 'epochs=10')
    """
    name, given, value = text.partition("=")
    values = [one.strip() for one in value.split(",") if one.strip()]
    if not given or value.rstrip().endswith(","):
        for word in following:
            if not re.fullmatch(r"[\w.,-]+", word) or _known(word) is not None:
                break
            values += [one for one in word.split(",") if one]
            if not word.endswith(","):
                break
    if not values or not name.strip():
        return None
    return f"{'-m ' * (len(values) > 1)}{name}={','.join(values)}"


def _known(name: str) -> str | None:
    """The option of this name, ours or another program's."""
    if (other := NAMES.get(squeezed(name))) is not None:
        return other
    ours = [*(field.name for field in fields(Config)), "experiment"]
    return name if name.partition(".")[0] in ours else None


def _values(words: list[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-") or "=" in word:
            return
        yield word
