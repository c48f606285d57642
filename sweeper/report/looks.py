"""How an optimizer looks on the page and in every figure: a colour, a dash and a mark, by its name."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# By slot, on white and on the page's dark ground. Every two differ by 12 or more in CIEDE2000, also as seen without one
# kind of cones (Machado, Oliveira and Fernandes 2009). As many as there are optimizers would be, in part, too dark or
# too light to be seen as colours in a thin line.
LIGHT = (
    *("#0194e9", "#e47611", "#1b9060", "#7351cc", "#95000c", "#c67ca8"),
    *("#3f6a85", "#946400", "#232323", "#7b1d4f", "#455c3c", "#76777a"),
)
DARK = (
    *("#5ebbff", "#ff8e14", "#5efabf", "#9075ed", "#ee395a", "#ebb6d1"),
    *("#7098b5", "#babf7d", "#ffffff", "#be608c", "#d0f474", "#a49689"),
)
DASHES = ((), (6, 3), (2, 2), (8, 3, 2, 3))  # lengths of line and gap; the first is a whole line
MARKS = (  # matplotlib's name, and an SVG path about as large as a circle of radius 1
    ("o", "M-1 0A1 1 0 1 0 1 0A1 1 0 1 0-1 0Z"),
    ("s", "M-.9-.9H.9V.9H-.9Z"),
    ("D", "M0-1.3L1.2 0L0 1.3L-1.2 0Z"),
    ("^", "M0-1.2L1.15.9H-1.15Z"),
    ("v", "M0 1.2L1.15-.9H-1.15Z"),
    ("P", "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z"),
    ("X", "M-1.1-.6L-.6-1.1L0-.5L.6-1.1L1.1-.6L.5 0L1.1.6L.6 1.1L0 .5L-.6 1.1L-1.1.6L-.5 0Z"),
)

# The optimizers of conf/optimizer/, in the order of the slots; of those beyond the last slot the lines are dashed.
KNOWN = (
    *("sgd", "adam", "adamw", "lion", "muon", "sam", "soap", "nadam", "rmsprop", "lamb", "prodigy", "adan"),
    *("radam", "adafactor", "adagrad", "sophia", "schedule_free_adamw", "schedule_free_sgd"),
)


@dataclass(frozen=True)
class Look:
    """Attributes: indices in `LIGHT` and `DARK`, and in `DASHES`."""

    hue: int
    dash: int = 0

    @property
    def mark(self) -> int:
        """The index in `MARKS`."""
        return (self.hue + 3 * self.dash) % len(MARKS)

    def indices(self) -> list[int]:
        """Colour, dash and mark, for the page's script."""
        return [self.hue, self.dash, self.mark]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each name. Of an optimizer in `conf/` it is the same whatever stands beside it.

    Another name's slot follows from the name alone, too, unless it is taken: then it is the next free one. With more
    names than colours, dashes and marks distinguish those of one colour.
    """
    given = set(names)
    found = {name: _slot(k) for k, name in enumerate(KNOWN) if name in given}
    for name in sorted(given - found.keys()):
        first = zlib.crc32(name.encode(errors="replace"))
        free = [_slot((first + k) % len(LIGHT) + len(LIGHT) * dash) for dash in range(len(DASHES)) for k in _HUES]
        used = {look.hue for look in found.values()}
        found[name] = min(free, key=lambda look: (look in found.values(), look.hue in used))
    return found


_HUES = range(len(LIGHT))


def _slot(k: int) -> Look:
    return Look(k % len(LIGHT), k // len(LIGHT) % len(DASHES))


def style_sheet() -> str:
    """The colours as CSS variables, `--hue-0` and so on."""
    light, dark = ("".join(f"--hue-{k}:{color};" for k, color in enumerate(colors)) for colors in (LIGHT, DARK))
    return f":root {{{light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"


def script_looks() -> dict[str, Any]:
    """What the page needs to draw a look by its indices."""
    return {
        "hues": len(LIGHT),
        "dashes": [" ".join(map(str, dash)) for dash in DASHES],
        "marks": [path for _, path in MARKS],
    }
