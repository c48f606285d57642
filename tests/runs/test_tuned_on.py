"""Settings that were tuned on other images than a run's say so, whoever says where they were tuned."""

import pytest
from made_runs import make_run

from sweeper.aggregate.command import aggregate
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.results import read_results
from sweeper.runs.tuned_on import by_images, on_images

OWN, OTHERS = on_images("9 epochs", "d" * 8), on_images("9 epochs", "01234567")  # made runs are of images dddddddd


def test_images_are_told_where_both_hashes_are_known_and_differ():
    assert [by_images(words, "d" * 8) for words in (OWN, OTHERS)] == ["9 epochs", "9 epochs on other images"]
    assert [by_images(words, None) for words in (OWN, OTHERS)] == ["9 epochs"] * 2
    for words in ("9 epochs", "9 epochs on digits, mlp", "9 epochs on images 0123456", "9 epochs on images ABCDEFAB"):
        assert by_images(words, "d" * 8) == words


@pytest.mark.parametrize(("words", "told"), [(OWN, "9 epochs"), (OTHERS, "9 epochs on other images")])
def test_a_task_is_labelled_by_its_own_images(tmp_path, words, told):
    """By a run's record, by a later sweep of it, and at a sweep's end."""
    run = make_run(tmp_path, tuned=words)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert task.label == f"digits, cnn, no label noise, tuned at {told}" and task.runs()[0].values["tuned"] == told
    later = make_run(tmp_path, optimizer="adam")
    asked = AskedRuns([run, later], [], dict.fromkeys((run, later), words), {run: words, later: None})
    record_arms(tmp_path, asked)
    assert {tuple(row.tuned) for row in read_results([tmp_path]).runs} == {(told,)}
    shown = aggregate([str(tmp_path)], None, ["csv"], sweep=OwnRuns.from_json(asked.to_json()))
    assert f", tuned at {told}: test accuracy" in shown
