"""What wrong labels cost, as a study's page tells it, `docs/study/robustness.py`."""

import re
import shlex

import pytest
from made_runs import make_run

from sweeper.aggregate.robustness import but_for_labels
from sweeper.aggregate.tasks import Task, group_tasks
from sweeper.config.grid import compose_grid
from sweeper.runs.identity import identity_config
from sweeper.runs.results import read_results
from tests.project.test_study import CIFAR10, STUDIES, load_module, load_publish

PAGE = STUDIES / "cifar10_noise" / "README.md"
load_publish()
robustness = load_module(STUDIES / "robustness.py")


@pytest.fixture
def tell(tmp_path):
    """`tell(sgd=0.8, lion=0.86)`: the page's part on these accuracies with wrong labels, 0.9 with right ones; those in
    `diverged` did so with wrong labels and the last seeds, as many as it says."""

    def make(diverged=(), right_epochs=3, **wrong):
        for seed in (1, 2, 3):
            for name, accuracy in wrong.items():
                common = {"optimizer": name, "seed": seed}
                right = 0.9 + 0.001 * (seed % 2)
                commit = {"environment": {"commit": "abc1234"}}
                make_run(tmp_path / "right" / "runs", **common, accuracy=right, **commit, epochs=right_epochs)
                status = "diverged" if seed > 3 - dict(diverged).get(name, 0) else "completed"
                noise = {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}
                scattered = accuracy + 0.001 * (len(name) * seed % 3)
                make_run(tmp_path / "wrong" / "runs", status, **common, accuracy=scattered, noise=noise)
        tasks = {name: group_tasks(read_results([tmp_path / name / "runs"]).runs)[0] for name in ("right", "wrong")}
        assert robustness.describe_robustness(tasks["right"], tmp_path / "right") == ""
        return robustness.describe_robustness(tasks["wrong"], tmp_path / "wrong")

    return make


def test_the_page_tells_the_losses_beside_the_study_of_right_labels(tell):
    told = tell(sgd=0.80, lion=0.86)
    assert told.startswith("**lion > sgd**\n\nLost: final test accuracy with right labels minus that with wrong ones")
    assert "| lion | 90.07 ± 0.06 % (n = 3) | 86.10 ± 0.10 % (n = 3) | 3.97 ± 0.15 (n = 3) | 1 | a |" in told
    assert "| sgd − lion | +6.10 |" in told and "lion loses less by 6.10" in told
    assert told.endswith("Right labels: [right](../right/README.md), of commit abc1234.") and "diverged" not in told


def test_who_diverged_is_named_and_does_not_lose_less(tell):
    told = tell(sgd=0.80, lion=0.86, adam=0.7, diverged={"lion": 1})
    assert "; lion diverged in 1 of 3 seeds**" in told and "lion >" not in told


def test_right_labels_of_another_length_are_none(tell):
    assert tell(sgd=0.80, lion=0.86, right_epochs=4) == ""


def test_the_task_of_wrong_labels_has_that_of_cifar10_beside_it():
    """By the study's own command, but for the settings that aren't chosen yet. Runs know the images besides."""
    (command,) = re.findall(r"^    python -m sweeper\.train (.* experiment=chosen .*)$", PAGE.read_text(), re.M)
    words = [w for w in shlex.split(command) if not w.startswith(("--config-dir", "experiment=")) and w != "mine"]
    cells = compose_grid([*words, "dataset=cifar10", "model=resnet18", "epochs=100"]).cells
    assert {cell.config["noise"]["rate"] for cell in cells} == {0.2, 0.4}
    tasks = group_tasks(read_results([CIFAR10 / "runs"]).runs)
    asked = {tuple(but_for_labels(_tuned_as(task, cell.config))) for cell in cells for task in tasks}
    assert [task.config["epochs"] for task in tasks if tuple(but_for_labels(task)) in asked] == [100]


def _tuned_as(task, config):
    """The task that a run of this configuration is of, tuned and on the images of `task`."""
    own = {key: value for key, value in identity_config(config).items() if key not in ("optimizer", "seed")}
    return Task("", {**own, "data": task.config["data"]}, [], task.tuned)
