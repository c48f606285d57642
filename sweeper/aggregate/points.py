"""Differences of accuracies as texts, in percentage points. All take shares in [0, 1]."""

import math


def size(share: float) -> str:
    """Without its sign, e.g. `0.69`; what isn't 0 is never shown as 0.00."""
    points = 100 * abs(share)
    return f"{points:.2f}" if points == 0 or points >= 0.005 else f"{points:.1g}"


def points(share: float, plus: str = "+") -> str:
    """With its sign, e.g. `+1.25`; `–` for none.

    Args:
        plus: the sign of what isn't below 0.
    """
    return "–" if math.isnan(share) else f"{'−' if share < 0 else plus}{size(share)}"


def margin_words(margin: float) -> str:
    """A margin of equivalence as it was given: rounded it would claim another one. E.g. `±0.125 points`."""
    return f"±{100 * margin:.12g} points"
