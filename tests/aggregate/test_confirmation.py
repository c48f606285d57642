"""Which seeds of a search's settings are a confirmation's: those of the runs that are named so, and no others."""

import pytest

from sweeper.aggregate.confirmation import confirmation_seeds, judging_runs
from sweeper.runs.rows import Run


def setting(own=(), again=(), status="completed"):
    return [Run("", {"seed": seed, "status": "completed"}) for seed in own] + [
        Run("", {"seed": seed, "status": status}, confirms=True) for seed in again
    ]


SEARCH, AGAIN = setting([101]), setting([101], [102, 103])


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([SEARCH] * 7 + [AGAIN] * 2, {102, 103}),
        ([SEARCH] * 3 + [AGAIN] * 5, {102, 103}),  # again, after more cells
        ([setting([101, 102])] * 2 + [SEARCH] * 3, set()),  # a search with two seeds that was stopped
        ([setting([1, 2, 3])] * 2 + [setting([1])], set()),  # one in which two seeds failed
        ([SEARCH] * 8 + [AGAIN], set()),  # one setting is confirmed against nothing
        ([SEARCH] * 7 + [AGAIN, setting([101], [102])], set()),  # not all of it is there yet
        ([SEARCH] * 7 + [AGAIN, setting([101], [102, 103], "failed")], set()),
        ([AGAIN], set()),
        ([], set()),
    ],
)
def test_the_seeds_of_a_confirmation(settings, found):
    assert confirmation_seeds(settings) == found


@pytest.mark.parametrize(
    ("runs", "again", "judging"),
    [
        (SEARCH, [], [101]),
        (SEARCH, [102, 103], [101]),
        (AGAIN, [102, 103], [102, 103]),
        (AGAIN, [], [101]),  # the others of this optimizer aren't confirmed yet
        (setting([101], [102, 103], "running"), [102, 103], [101]),
        (setting([], [102], "running"), [], [102]),
    ],
)
def test_the_runs_that_judge_a_setting(runs, again, judging):
    assert [run.values["seed"] for run in judging_runs(runs, frozenset(again))] == judging
