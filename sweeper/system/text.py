"""Formats numbers and texts for people."""

import re
from collections.abc import Iterable, Sequence

LONGEST_TEXT = 1000

# A zero-width joiner or non-joiner of an emoji, or of a word in Indic or Persian script.
_JOINED = re.compile("(?<=[^\x00-\u02ff\u200c\u200d])[\u200c\u200d](?=[^\x00-\u02ff\u200c\u200d])")


def printable(text: str) -> str:
    """`text` in one line as every terminal, page and file may show it.

    Control characters, so escape sequences too, line ends, characters that turn the direction of writing or have no
    width, and broken code points become spaces. Letters of any script and emoji stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or _JOINED.match(text, k) else " " for k, c in enumerate(text))


def printable_lines(text: str) -> str:
    """`text` with its line ends, each line printable."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def shortened(text: str, most: int = LONGEST_TEXT) -> str:
    """`text` in one line of at most so many characters."""
    text = printable(text[: most + 1])
    return text if len(text) <= most else f"{text[: most - 1]}…"


def percent(accuracy: float | None) -> str:
    """An accuracy in [0, 1] as `94.12 %`; `–` for none."""
    return "–" if accuracy is None else f"{100 * accuracy:.2f} %"


def duration(seconds: float) -> str:
    """Seconds as text: `8 s`, `3 min 20 s`, `1 h 12 min`, `2 d 3 h`."""
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60} s" if s % 60 else f"{s // 60} min"
    if s < 86400:
        return f"{s // 3600} h {s % 3600 // 60} min"
    return f"{s // 86400} d {s % 86400 // 3600} h"


def size(n: float) -> str:
    """Bytes as text, in powers of 1000: `12 KB`, `3.2 MB`, `70 GB`."""
    units = ["bytes", "KB", "MB", "GB", "TB"]
    while n >= 1000 and len(units) > 1:
        n /= 1000
        units.pop(0)
    return f"{n:.0f} {units[0]}" if n >= 10 or units[0] == "bytes" else f"{n:.1f} {units[0]}"


def amount(value: float) -> str:
    """Of energy or money, two decimals or, of a small one, two digits: `1,250.00`, `0.034`.

    >>> amount(3.14159), amount(0.03449), amount(0.00002)
    ('3.14', '0.034', 'less than 0.0001')
    """
    if value >= 1:
        return f"{value:,.2f}"
    return f"{value:.2g}" if value >= 0.0001 or value == 0 else "less than 0.0001"


def counted(number: int | str, noun: str, nouns: str = "") -> str:
    """A number, or its digits, and what it counts: `1 run`, `1,500 runs`.

    Args:
        nouns: the plural, unless it is the noun with an s.
    """
    digits = number if isinstance(number, str) else f"{number:,}"
    return f"{digits} {noun if digits == '1' else nouns or f'{noun}s'}"


def times(number: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def few(names: Sequence[str], most: int = 12, separator: str = ", ") -> str:
    """A list in a sentence, cut after `most` of them: "a, b and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def listed(words: Iterable[object], before_last: str = "and") -> str:
    """All of a list in a sentence: "a, b and c". There is one at least."""
    *first, last = map(str, words)
    return f"{', '.join(first)} {before_last} {last}" if first else last
