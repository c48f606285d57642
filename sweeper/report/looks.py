"""How an optimizer looks on the page and in every figure: a colour, a dash and a mark, by its name."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# By slot, on white and on the page's dark ground: one for each optimizer of conf/optimizer/. Every two differ by 12 or
# more in CIEDE2000, also as seen without one kind of cones (Machado, Oliveira and Fernandes 2009). The first are the
# brightest; 18 so far apart can't all be.
LIGHT = (
    *("#0199fa", "#e5760c", "#02927f", "#5d3fa0", "#9c000c", "#0008f8"),
    *("#d03206", "#400085", "#b98b63", "#a26150", "#670016", "#0666f3"),
    *("#026f69", "#902f42", "#8d629c", "#a788b5", "#3d425e", "#4d1c2f"),
)
DARK = (
    *("#96c0fe", "#fa8704", "#8effa4", "#9e79fc", "#f82241", "#8c25ff"),
    *("#e1f336", "#be10a1", "#527d26", "#c9aa7c", "#af7770", "#8493ba"),
    *("#d4f3dd", "#826065", "#fdeaff", "#8f7e8b", "#b1b9ca", "#b9b3ab"),
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

# The optimizers of conf/optimizer/, in the order of the slots.
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
    given, hues = set(names), len(LIGHT)
    found = {name: _slot(k) for k, name in enumerate(KNOWN) if name in given}
    for name in sorted(given - found.keys()):
        first = zlib.crc32(name.encode(errors="replace"))
        free = [_slot((first + k) % hues + hues * dash) for dash in range(len(DASHES)) for k in range(hues)]
        used = {look.hue for look in found.values()}
        found[name] = min(free, key=lambda look: (look in found.values(), look.hue in used))
    return found


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
