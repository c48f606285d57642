"""The work that a run hands to its device, as a launcher counts it."""

from sweeper.engine.work import WORK
from tests.plan.test_timing import prepare


def test_an_epoch_counts_its_images(tmp_path):
    """Three passes for each training image, one for each of the evaluation; a run on the CPU prepares only that."""
    from sweeper.engine.loop import train
    from sweeper.runs.directory import RunDirectory

    config, data, device = prepare()
    before = WORK.passes, WORK.preparations
    for _ in train({**config, "epochs": 2}, data, device, RunDirectory(tmp_path), [], lambda row: None, {}):
        pass
    assert WORK.passes - before[0] == 2 * (3 * len(data.train.labels) + len(data.test.labels))
    assert WORK.preparations - before[1] == 1
