"""Writes values as Hydra's grammar reads them. No Hydra."""

import re
from typing import Any

_NO_CONSTANT = r"(?!(?:true|false|null|nan|inf)$)"  # which would be read as a truth value, nothing or a number
_PLAIN = re.compile(rf"{_NO_CONSTANT}[A-Za-z_/][A-Za-z0-9_./+-]*", re.ASCII | re.IGNORECASE)


def value_text(value: Any) -> str:
    """A value in Hydra's grammar.

    >>> value_text([0.9, None, True]), value_text("it's 1"), value_text({"a": "b"})
    ('[0.9,null,true]', "'it\\\\'s 1'", '{a:b}')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(value_text, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{value_text(v)}" for key, v in value.items()) + "}"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return quoted(value)
    return str(value)


def word_key(word: str) -> str:
    """What a word of a command line sets.

    >>> word_key("+optimizer.lr=0.1")
    'optimizer.lr'
    """
    return word.partition("=")[0].lstrip("+~")


def as_word(text: str) -> str:
    """A choice or a folder as it stands on a command line.

    >>> as_word("lion"), as_word("my runs"), as_word("null")
    ('lion', "'my runs'", "'null'")
    """
    return text if re.fullmatch(rf"{_NO_CONSTANT}[A-Za-z_][\w.-]*", text, re.ASCII | re.IGNORECASE) else quoted(text)


def quoted(text: str) -> str:
    """A text in quotes, within which a backslash is one, except before a quote.

    >>> quoted("it's")
    "'it\\\\'s'"
    """
    return "'" + re.sub(r"\\*(?='|\Z)", lambda found: 2 * found[0], text).replace("'", "\\'") + "'"
