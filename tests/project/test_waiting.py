"""The benchmark of OpenMP's waiting: paired trials, the same losses, and each policy in effect where it is measured."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY

from benchmarks.waiting import POLICIES, WORK, busy_cores, compare, summary

SECONDS = {"unset": 3.0, "PASSIVE": 4.0, "sweeper": 2.0}


def test_each_round_has_a_trial_of_each_policy_and_the_order_turns():
    rows = list(compare(WORK, 3, lambda policy, work: {"seconds": SECONDS[policy], "losses": [1.0]}))
    assert len(rows) == 9 * len(WORK) and {row["losses_equal"] for row in rows} == {True}
    rounds = [[row["policy"] for row in rows if (row["work"], row["round"]) == ("digits, mlp", k)] for k in (1, 2, 3)]
    assert all(sorted(one) == sorted(POLICIES) for one in rounds) and {one[0] for one in rounds} == set(POLICIES)
    for line in summary(rows):
        assert line.endswith("unset / sweeper 1.50 (1.50 to 1.50), PASSIVE / sweeper 2.00 (2.00 to 2.00); losses equal")


def test_losses_that_differ_are_told():
    rows = list(compare(WORK, 1, lambda policy, work: {"seconds": 1.0, "losses": [1.0 + (policy == "PASSIVE")]}))
    assert {row["policy"] for row in rows if row["losses_equal"]} < set(POLICIES)
    assert all(line.endswith("losses DIFFER") for line in summary(rows))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other builds of torch have another OpenMP, or none")
def test_a_trial_has_the_policy_that_it_says():
    def found(policy: str) -> tuple[dict, str]:
        command = [sys.executable, "-m", "benchmarks.waiting", "--trial", policy, "digits, mlp"]
        environment = {**os.environ, "OMP_DISPLAY_ENV": "verbose", "OMP_WAIT_POLICY": "ACTIVE"}
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout), re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)[0]

    (passive, no_spins), (unset, spins), (_, ours) = found("PASSIVE"), found("unset"), found("sweeper")
    assert no_spins == "0" and 0 < int(spins) <= 300_000 and ours == "1000"
    assert passive["losses"] == unset["losses"] and passive["seconds"] > 0


def test_busy_processes_end():
    with busy_cores(1):
        pass
