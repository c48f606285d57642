"""Reads times as people write them."""

import re

from sweeper.system.errors import BadInput

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def read_duration(text: str) -> float:
    """The seconds of a time such as `5h`, `1h30m`, `90 min` or `300` (seconds).

    Raises:
        BadInput: it isn't a time, or isn't above 0.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd]|$)", text.strip().lower())
    spelt = "".join(f"{number}{unit}" for number, unit in parts)
    seconds = sum(float(number) * _UNITS.get(unit, 1) for number, unit in parts)
    if not seconds or spelt != re.sub(r"\s", "", text.lower()):
        raise BadInput(
            f"--within {text or 'needs a value'}: must be a time above 0, such as 5h, 90min, 1h30m or 300 (seconds)"
        )
    return seconds
