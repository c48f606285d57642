"""What equal averaging changes, `docs/study/timescale.py`."""

from made_runs import make_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results
from tests.project.test_study import STUDIES, load_module, load_publish

load_publish()
timescale = load_module(STUDIES / "timescale.py")


def compared(folder, **accuracies):
    """The task of runs with these accuracies, which scatter by a tenth of a point."""
    for k, (name, accuracy) in enumerate(accuracies.items()):
        for seed in (1, 2, 3):
            make_run(folder, optimizer=name, seed=seed, accuracy=accuracy + 0.001 * (seed % 3 == k))
    (task,) = group_tasks(read_results([folder]).runs)
    return task


def test_the_page_says_which_pairs_equal_averaging_no_longer_separates(tmp_path):
    usual = compared(tmp_path / "usual", sgd=0.8, lion=0.9, muon=0.9)
    equal = compared(tmp_path / "equal", sgd=0.8, lion=0.8, muon=0.9)
    told = "Separated in the comparison and not here, so their decay may have made the difference: lion and sgd."
    assert timescale.describe_equal_averaging(usual, [equal]) == told
    assert timescale.describe_equal_averaging(usual, [usual]) == timescale.describe_equal_averaging(usual, []) == ""


def test_a_pair_that_was_not_compared_there_is_not_named(tmp_path):
    usual = compared(tmp_path / "usual", sgd=0.8, lion=0.9, muon=0.95)
    equal = compared(tmp_path / "equal", lion=0.9, muon=0.9)
    assert timescale.describe_equal_averaging(usual, [equal]).endswith(": lion and muon.")
