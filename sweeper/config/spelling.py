"""How an option and its values are typed: one word, `-m` before several values, each value as our groups spell it."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from sweeper.config.named_optimizer import names_of_modules
from sweeper.config.schema import Config
from sweeper.runs.identity import GROUPS
from sweeper.system.errors import nearest_of, squeezed
from sweeper.system.files import CONF

OWN_IMAGES = ("imagenet", "imagenet1k", "tinyimagenet", "imagenette", "imagefolder", "custom")
_LONGEST_SPAN = 100  # seeds written out
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_RATE = re.compile(r"[01]|[01]?\.\d+|1\.0*")
_BRACKETS = re.compile(r"\[.*\]|\(.*\)", re.DOTALL)


def letters(text: str) -> Iterator[tuple[str, bool, int]]:
    """Each letter, whether it lies in a quote, and in how many brackets, once it is read.

    >>> [letter for letter, quoted, depth in letters("a[b]'c'd") if not quoted and not depth]
    ['a', ']', "'", 'd']
    """
    depth, quote = 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
        yield letter, bool(quote), depth


def split_values(text: str) -> list[str]:
    """The values of a list, which commas outside of brackets and quotes separate; empty ones are left out.

    >>> split_values("[0.9,0.99], [0.8,0.9],"), split_values("'a,b',c")
    (['[0.9,0.99]', '[0.8,0.9]'], ["'a,b'", 'c'])
    """
    pieces = [""]
    for letter, quoted, depth in letters(text):
        if letter == "," and not quoted and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces if piece.strip()]


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def share(text: str) -> str | None:
    """A number, or a percentage as a share of 1.

    >>> share("20%"), share("0.2"), share("many")
    ('0.2', '0.2', None)
    """
    if is_number(text):
        return text
    return f"{float(text[:-1]) / 100:.12g}" if text.endswith("%") and is_number(text[:-1]) else None


def written(name: str, values: Sequence[str]) -> str:
    """An option with these values as it is typed in a shell.

    >>> written("optimizer", ["adam"]), written("optimizer.betas", ["[0.9,0.99]", "[0.8,0.9]"])
    ('optimizer=adam', "-m 'optimizer.betas=[0.9,0.99],[0.8,0.9]'")
    """
    spans = len(values) == 1 and re.fullmatch(r"(range|glob|interval|choice|tag)\(.*\)", values[0], re.DOTALL)
    return "-m " * (len(values) > 1 or bool(spans)) + shlex.quote(f"{name}={','.join(values)}")


def meant(name: str, values: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None) -> str:
    """The words to type for an option of ours with these values, each the nearest right one where there is any.

    Args:
        groups: the choices of every group; those of our conf/ without it.

    >>> meant("optimizer", ["Adam", "sdg"]), meant("epochs", ["1e3", "2e3"]), meant("tag", ["a"])
    ('-m optimizer=adam,sgd', '-m epochs=1000,2000', 'tag=a')
    """
    groups = _ours() if groups is None else groups
    if name in groups:
        return right_choices(name, values, groups[name]) or written(name, values)
    if name.endswith(".betas"):
        return right_list(name, values) or written(name, values)
    integers = right_integers(name, values) if name in _integers() else None
    return integers or right_numbers(name, values) or written(name, values)


def right_choices(group: str, values: Sequence[str], choices: Sequence[str]) -> str | None:
    """The overrides that these values of a group mean; None if one of them is like no choice.

    >>> right_choices("noise", ["0.2", "0.4"], ["none", "symmetric"])
    '-m noise=symmetric noise.rate=0.2,0.4'
    """
    values = [value.strip("'\"") for value in values]
    if len(values) == 1 and values[0] not in choices:
        values = [piece for piece in re.split(r"[\s;|,]+", values[0]) if piece]
    rates = ["0" if value == "none" else value for value in values]
    if group == "noise" and len(values) > 1 and None not in (shares := [_rate(rate) for rate in rates]):
        return f"-m noise=symmetric noise.rate={','.join(f'{rate:.12g}' for rate in shares)}"
    if any("*" in value or value == "all" for value in values if value not in choices):
        patterns = ",".join("*" if value == "all" else value for value in values)
        return written(group, [f"glob([{patterns}])" if len(values) > 1 else f"glob({patterns})"])
    means = {value: meant_choice(group, value, choices) for value in values}
    words = [word for word in means.values() if word is not None]
    if not words or len(words) < len(means):
        return None
    if not any(" " in word for word in words):
        return written(group, list(dict.fromkeys(word.partition("=")[2] for word in words)))
    if len(words) == 1:
        return words[0]
    names = [re.sub(r"[:=]", " ", value) for value in means]
    arms = [f'--arm "{name}: {word}"' for name, word in zip(names, words, strict=True)]
    return None if group == "device" else " ".join(["-m", *arms])


def meant_choice(group: str, value: str, choices: Sequence[str]) -> str | None:
    """The overrides that a value of a group means; None if it is like no choice.

    >>> meant_choice("optimizer", "sdg", ["sgd"]), meant_choice("optimizer", "AdEMAMix", ["adam"])
    ('optimizer=sgd', 'optimizer=any optimizer.name=AdEMAMix')
    """
    if value in choices:
        return f"{group}={value}"
    if (other := choice(group, value)) is not None:
        return other
    near = nearest_of(value, choices)
    is_class = group == "optimizer" and value.isidentifier() and squeezed(value) not in map(squeezed, choices)
    if is_class and squeezed(value) in names_of_modules():
        return f"optimizer=any optimizer.name={value}"
    return None if near is None else f"{group}={near}"


def choice(group: str, value: object) -> str | None:
    """The overrides that a value which is no choice of the group means; None if it is only misspelt.

    >>> choice("noise", 0.2), choice("dataset", "ImageNet")
    ('noise=symmetric noise.rate=0.2', 'dataset=folder dataset.root=DIR')
    """
    text = str(value).strip("'\"")
    if group == "device" and re.fullmatch(r"(?:cuda|gpu)?:?0", text) is not None:
        return "device=cuda"
    if group == "device" and (number := re.fullmatch(r"(?:cuda|gpu)?:?([1-9]\d?)", text)) is not None:
        return f"device=cuda, and CUDA_VISIBLE_DEVICES={number[1]} before the command"
    if group == "optimizer" and re.fullmatch(r"(torch\.optim|pytorch_optimizer)\.\w+", text):
        return f"optimizer=any optimizer.name={text}"
    if group == "noise" and (rate := _rate(text)) is not None:
        return f"noise=symmetric noise.rate={rate:.12g}" if rate else "noise=none"
    if group == "dataset" and squeezed(text) in OWN_IMAGES:
        return "dataset=folder dataset.root=DIR"
    if group == "dataset" and "/" in text:
        on_hub = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", text) and not Path(text).exists()
        return f"dataset=hub dataset.name={text}" if on_hub else f"dataset=folder dataset.root={text}"
    return None


def right_integers(name: str, values: Sequence[str]) -> str | None:
    """The words to type for an option whose value is an integer; None if a value means no integer.

    >>> right_integers("epochs", ["1e3"]), right_integers("seed", ["1-3"]), right_integers("seed", ["1-3", "5"])
    ('epochs=1000', "-m 'seed=range(1,4)'", '-m seed=1,2,3,5')
    """
    if len(values) == 1 and (span := _span(values[0])) is not None:
        return f"-m '{name}=range({span.start},{span.stop})'"
    if len(values) == 1 and _BRACKETS.fullmatch(values[0]):
        values = split_values(values[0][1:-1])
    numbers = [_as_integers(value) for value in values]
    return written(name, [str(n) for some in numbers for n in some]) if numbers and all(numbers) else None


def right_list(name: str, values: Sequence[str]) -> str | None:
    """An option whose value is one list, whose brackets are missing or round; None if the values are no such list.

    >>> right_list("optimizer.betas", ["0.9", "0.99"]), right_list("optimizer.betas", ["(0.9, 0.99)"])
    ("'optimizer.betas=[0.9,0.99]'", "'optimizer.betas=[0.9,0.99]'")
    """
    if values and all(map(is_number, values)):
        return written(name, [f"[{','.join(values)}]"])
    lists = [split_values(value[1:-1]) for value in values if _BRACKETS.fullmatch(value)]
    return written(name, [f"[{','.join(one)}]" for one in lists]) if lists and len(lists) == len(values) else None


def right_numbers(name: str, values: Sequence[str]) -> str | None:
    """An option whose value is a number, of which a list is given; None if the value is no such list.

    >>> right_numbers("optimizer.lr", ["[0.1, 0.01]"]), right_numbers("optimizer.lr", ["0.1 0.01"])
    ('-m optimizer.lr=0.1,0.01', '-m optimizer.lr=0.1,0.01')
    """
    one = values[0] if len(values) == 1 else ""
    inside = split_values(one[1:-1]) if _BRACKETS.fullmatch(one) else one.split() if " " in one else []
    return written(name, inside) if inside and all(map(is_number, inside)) else None


def groups_with(name: str) -> list[str]:
    """The groups of our conf/ that have a choice of this name."""
    return [group for group, choices in _ours().items() if name in choices]


@cache
def _ours() -> dict[str, list[str]]:
    return {group: sorted(file.stem for file in CONF.glob(f"{group}/*.yaml")) for group in (*GROUPS, "experiment")}


@cache
def _integers() -> frozenset[str]:
    """The options whose value is an integer."""
    return frozenset(_integers_of(Config))


def _integers_of(schema: type, prefix: str = "") -> Iterable[str]:
    kinds: dict[str, Any] = get_type_hints(schema)
    for field in fields(schema):
        kind = kinds[field.name]
        if is_dataclass(kind):
            yield from _integers_of(kind, f"{prefix}{field.name}.")  # type: ignore[arg-type]
        elif kind is int or int in get_args(kind):
            yield prefix + field.name


def _rate(text: str) -> float | None:
    """A share of labels: `0.2`, `20%`, or `20`, which can only be meant as a percentage; None for anything else."""
    text = share(text) or text
    if _RATE.fullmatch(text) is not None:
        return float(text) if float(text) <= 1 else None
    return float(text) / 100 if is_number(text) and 1 < float(text) <= 100 else None


def _span(text: str) -> range | None:
    """The integers of `1-3`, `1..3` or `1:3`, the last included."""
    if not (found := re.fullmatch(r"(\d+)(?:-|\.\.\.?|:)(\d+)", text)):
        return None
    first, last = map(int, found.groups())
    return range(first, last + 1) if first < last else None


def _as_integers(text: str) -> Sequence[int]:
    """The integers that a value of a list means; none if it means none."""
    if (span := _span(text)) is not None:
        return span if len(span) <= _LONGEST_SPAN else ()
    if not is_number(text):
        return ()
    number = float(text)
    if not number.is_integer():
        return ()
    return (int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number),) if abs(number) < 2**53 else ()
