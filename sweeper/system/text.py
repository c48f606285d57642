"""Formats numbers and texts for people."""

LONGEST_TEXT = 1000


def printable(text: str) -> str:
    """`text` in one line: control characters, line ends and broken code points become spaces."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)


def shortened(text: str) -> str:
    """`text` in one line of at most `LONGEST_TEXT` characters."""
    text = printable(text[: LONGEST_TEXT + 1])
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


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


def few(names: list[str], most: int = 12) -> str:
    """A list in a sentence, cut after `most` of them: "a, b and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
