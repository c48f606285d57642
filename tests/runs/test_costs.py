"""What runs took and cost is told where it was recorded."""

import pytest
from made_runs import make_run

from sweeper.runs.costs import describe_amounts
from sweeper.runs.results import read_results


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ([{}, {}], ""),
        ([{"cost": 1.0}, {"cost": 0.25}], "these runs cost 1.25"),
        ([{"energy_kwh": 0.03}, {"energy_kwh": 0.004}], "these runs took 0.034 kWh of their GPU"),
        ([{"cost": 1200.0, "energy_kwh": 2.0}] * 2, "these runs took 4.00 kWh of their GPU and cost 2,400.00"),
        ([{"cost": 0.0}, {}], "these runs cost 0 (1 of 2 has it recorded)"),
        ([{"cost": 1.25, "energy_kwh": 0.5}], "this run took 0.5 kWh of its GPU and cost 1.25"),
        ([{"cost": 1.0}, {"cost": 2.0}, {}], "these runs cost 3.00 (2 of 3 have it recorded)"),
    ],
)
def test_amounts_are_told_where_they_were_recorded(tmp_path, recorded, words):
    """A failed run's, too."""
    for seed, environment in enumerate(recorded):
        make_run(tmp_path, "completed" if seed else "failed", seed=seed, environment=environment)
    assert describe_amounts(read_results([tmp_path]).runs) == words
