"""The simulation of the rule: its table stands in the docs, and its figures are within the level."""

import csv
import math

from benchmarks.decide import FILE, PAGE, simulate, table


def test_the_pages_table_is_that_of_the_results():
    with FILE.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert table(found) in PAGE.read_text(encoding="utf-8")
    band = 2 * math.sqrt(0.05 * 0.95 / int(found[0]["decisions"]))
    alike = [row for row in found if row["scatter"] == "1"]
    assert len(alike) == 11 and all(float(row["wrong"]) <= 0.05 + band for row in alike)
    assert all(float(row["wrong"]) > 0.05 for row in found if row not in alike), "the page says so"


def test_a_row_is_simulated_anew():
    row = simulate(2, 0.4, None, 50)
    assert row["wrong"] == 0 and row["different"] > 0.9 and 3 <= row["seeds"] < 20
