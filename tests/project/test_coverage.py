"""The simulation of the intervals over tasks: what is recorded is what the documentation says, and it is near 95 %."""

import pytest

from benchmarks.coverage import COLUMNS, FILE, PAGE, SCENARIOS, simulate, table
from benchmarks.figures import read_csv


def test_the_recorded_table_stands_in_the_documentation():
    assert table(read_csv(FILE)) in PAGE.read_text(encoding="utf-8")
    assert tuple(read_csv(FILE)[0]) == COLUMNS and {row["scenario"] for row in read_csv(FILE)} == {*SCENARIOS}


def test_an_interval_of_95_percent_holds_in_95_percent():
    """With known ends of the scale, and two optimizers. Else the documentation says by how much it fails."""
    for row in read_csv(FILE):
        if row["scenario"].startswith("two"):
            assert 0.93 <= float(row["iqm"]) <= 0.975 and 0.93 <= float(row["improvement"]) <= 0.975
        assert 0.88 <= float(row["iqm"]) <= 0.98 and float(row["improvement"]) >= 0.93


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_simulated_anew(scenario):
    found = simulate(scenario, 2, 3, 100)
    recorded = next(
        row for row in read_csv(FILE) if (row["scenario"], row["tasks"], row["seeds"]) == (scenario, "2", "3")
    )
    for name in COLUMNS[4:]:
        share = float(recorded[name])
        assert found[name] == pytest.approx(share, abs=4 * (share * (1 - share) / 100) ** 0.5 + 0.02)
