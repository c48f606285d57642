"""Differences of accuracies as texts, in percentage points. All take shares in [0, 1]."""

import math
import re

from sweeper.system.text import counted


def size(share: float, margin: float | None = None) -> str:
    """Without its sign, e.g. `0.69`; what isn't 0 is never shown as 0.00.

    Args:
        margin: what lies within it is shown so, with as many decimals as that takes.
    """
    points = 100 * abs(share)
    text = f"{points:.2f}" if points == 0 or points >= 0.005 else f"{points:.1g}"
    if margin is None or not abs(share) < margin:
        return text
    decimals = 2
    while float(text) >= 100 * margin and decimals < 12:
        decimals += 1
        text = f"{points:.{decimals}f}"
    return text


def points(share: float, plus: str = "+", margin: float | None = None) -> str:
    """With its sign, e.g. `+1.25`; `–` for none.

    Args:
        plus: the sign of what isn't below 0.
        margin: as of `size`.
    """
    return "–" if math.isnan(share) else f"{'−' if share < 0 else plus}{size(share, margin)}"


def margin_words(margin: float) -> str:
    """A margin of equivalence as it was given: rounded it would claim another one. E.g. `±0.125 points`."""
    return f"±{counted(f'{100 * margin:.12g}', 'point')}"


_STATED = re.compile(r"[Ee]quivalent within (?:±|\$\\pm\$)([\d.e-]+) points?\b")


def stated_margin(text: str) -> float | None:
    """The margin within which a table, in whatever format, first calls two equivalent; None if it calls none so."""
    found = _STATED.search(text)
    try:
        margin = float(found[1]) / 100 if found else math.nan
    except ValueError:
        return None
    return margin if 0 < margin < 1 else None
