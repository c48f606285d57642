"""What runs took of their device's energy, and what they cost."""

from collections.abc import Sequence

from sweeper.runs.rows import Run
from sweeper.system.text import amount


def describe_amounts(runs: Sequence[Run]) -> str:
    """What the runs took of their GPU's energy and what they cost, where it was recorded, e.g. `these runs took 0.034
    kWh of their GPU and cost 1.25`; "" if neither was. No full stop."""
    told, (these, their) = [], ("this run", "its") if len(runs) == 1 else ("these runs", "their")
    for name, words in (("energy_kwh", f"took {{}} kWh of {their} GPU"), ("cost", "cost {}")):
        known = [value for run in runs if (value := run.values.get(name)) is not None]
        if known:
            have = "has" if len(known) == 1 else "have"
            some = f" ({len(known):,} of {len(runs):,} {have} it recorded)" if len(known) < len(runs) else ""
            told.append(words.format(amount(sum(known))) + some)
    return f"{these} {' and '.join(told)}" if told else ""
