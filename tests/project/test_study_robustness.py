"""What wrong labels cost, `docs/study/robustness.py`."""

import re
import shlex

import numpy as np
import pytest
from made_runs import make_run
from scipy import stats

from sweeper.aggregate.tasks import group_tasks
from sweeper.config.grid import compose_grid
from sweeper.runs.results import read_results
from tests.project.test_study import CIFAR10, STUDIES, load_module, load_publish

PAGE = STUDIES / "cifar10_noise" / "README.md"
load_publish()
robustness = load_module(STUDIES / "robustness.py")


@pytest.mark.parametrize("missing", [0, 7])
def test_losses_are_the_least_squares_fit_by_dummies(missing):
    """score ~ optimizer × labels + seed, solved here by the normal equations of its dummies, also of missing scores."""
    draw = np.random.default_rng(3)
    right, wrong = ({name: dict(enumerate(draw.normal(m, s, 5))) for name in "abc"} for m, s in ((9, 1), (7, 2)))
    for k in draw.choice(30, missing, replace=False):
        del (right, wrong)[k % 2]["abc"[k // 2 % 3]][k // 6]
    found = robustness.losses(right, wrong)
    rows, scores = [], []
    for k, name in enumerate("abc"):
        for labels, by_seed in enumerate((right[name], wrong[name])):
            for seed, score in by_seed.items():
                rows.append([*np.eye(6)[2 * k + labels], *np.eye(5)[seed][1:]])
                scores.append(score)
    design, scores = np.array(rows), np.array(scores)
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ scores
    df = 30 - missing - 10
    deviation = np.sqrt(((scores - design @ fitted) ** 2).sum() / df)
    assert found.df == df and list(found.of.values()) == sorted(found.of.values())
    for (first, second), (difference, low, high) in found.differences.items():
        contrast = np.zeros(10)
        for name, sign in ((first, -1), (second, 1)):
            contrast[2 * "abc".index(name)] = sign
            contrast[2 * "abc".index(name) + 1] = -sign
        half = stats.t.ppf(0.975, df) * deviation * np.sqrt(contrast @ inverse @ contrast)
        assert (difference, low, high) == pytest.approx(
            (contrast @ fitted, contrast @ fitted - half, contrast @ fitted + half)
        )
        assert difference >= 0
    assert len(found.differences) == 3


def test_who_has_no_completed_run_of_one_task_and_seeds_that_nobody_shares_give_no_loss():
    half = {"a": {1: 0.9, 2: 0.91}, "b": {1: 0.8, 2: 0.83}}
    found = robustness.losses(half, {"a": {1: 0.7, 2: 0.72}, "b": {}})
    assert list(found.of) == ["a"] and found.of["a"] == pytest.approx(0.195) and not found.differences
    assert not robustness.losses({"a": {1: 0.9}}, {"a": {2: 0.8}}).of
    assert not robustness.losses({}, {}).of
    one = robustness.losses({"a": {1: 0.9}, "b": {1: 0.9}}, {"a": {1: 0.5}, "b": {1: 0.7}})
    assert list(one.of) == ["b", "a"] and not one.differences


@pytest.fixture
def tell(tmp_path):
    """`tell(sgd=0.8, lion=0.86)`: the page's part on these accuracies with wrong labels, 0.9 with right ones; those in
    `diverged` did so with wrong labels and the last seeds, as many as it says."""

    def make(diverged=(), **wrong):
        for seed in (1, 2, 3):
            for name, accuracy in wrong.items():
                common = {"optimizer": name, "seed": seed}
                right = 0.9 + 0.001 * (seed % 2)
                make_run(tmp_path / "right" / "runs", **common, accuracy=right, environment={"commit": "abc1234"})
                status = "diverged" if seed > 3 - dict(diverged).get(name, 0) else "completed"
                noise = {"name": "symmetric", "rate": 0.2}
                make_run(tmp_path / "wrong" / "runs", status, **common, accuracy=accuracy, noise=noise)
        tasks = {name: group_tasks(read_results([tmp_path / name / "runs"]).runs)[0] for name in ("right", "wrong")}
        assert robustness.describe_robustness(tasks["right"], tmp_path / "right") == ""
        return robustness.describe_robustness(tasks["wrong"], tmp_path / "wrong")

    return make


NONE_SHOWN = "No interval shows that one loses less, which doesn't mean that the losses are equal."


def test_the_page_tells_the_losses_beside_the_study_of_right_labels(tell):
    told = tell(sgd=0.80, lion=0.86)
    assert "| lion | 90.07 ± 0.06 % (n = 3) | 86.00 ± 0.00 % (n = 3) | 4.07 |" in told
    assert "| sgd | 90.07 ± 0.06 % (n = 3) | 80.00 ± 0.00 % (n = 3) | 10.07 |" in told
    assert "| sgd − lion | +6.00 |" in told and "By the intervals lion loses less than sgd." in told
    assert "Right labels: [right](../right/README.md), of commit abc1234." in told and "diverged" not in told
    assert "of its pair alone" not in told


def test_with_several_pairs_the_page_says_how_often_chance_tells_some_apart(tell):
    """Against a simulation: each interval holds in 95 % of cases, all of them together in fewer."""
    told = tell(sgd=0.80, lion=0.86, adam=0.81)
    assert "with 3 equal losses one at least excludes 0 in 11 % of studies." in told
    numbers = np.random.default_rng(1)
    studies, found = 400, 0
    for _ in range(studies):
        right, wrong = (
            {optimizer: dict(enumerate(row)) for optimizer, row in zip("abcde", one, strict=True)}
            for one in numbers.normal(size=(2, 5, 5))
        )
        found += any(low > 0 for _, low, _ in robustness.losses(right, wrong).differences.values())
    assert found / studies == pytest.approx(robustness.chance_of_any(5, 36), abs=0.06)


def test_losses_that_no_interval_tells_apart_are_not_called_equal(tell):
    assert NONE_SHOWN in tell(sgd=0.80, lion=0.80)


def test_who_diverged_is_named_and_not_said_to_lose_less(tell):
    told = tell(sgd=0.80, lion=0.86, diverged={"lion": 1})
    assert "| lion | 90.07 ± 0.06 % (n = 3) | 86.00 ± 0.00 % (n = 2) |" in told and NONE_SHOWN in told
    assert "lion diverged in 1 of 3 seeds with wrong labels. Of these the completed seeds are counted" in told


def test_who_diverged_in_every_seed_is_named_too(tell):
    told = tell(sgd=0.80, lion=0.86, adam=0.81, diverged={"lion": 3})
    assert "| lion |" not in told and "lion diverged in 3 of 3 seeds with wrong labels." in told


def test_without_completed_runs_of_both_tasks_that_is_said(tell):
    assert tell(sgd=0.80, diverged={"sgd": 3}).startswith(
        "No optimizer has completed runs of both tasks with common seeds.\n\nsgd diverged"
    )


def test_the_task_of_wrong_labels_has_that_of_cifar10_beside_it():
    """By the study's own command, but for the settings that aren't chosen yet. Runs know the images besides."""
    (command,) = re.findall(r"^    python -m sweeper\.train (.* experiment=chosen .*)$", PAGE.read_text(), re.M)
    words = [w for w in shlex.split(command) if not w.startswith(("--config-dir", "experiment=")) and w != "mine"]
    cells = compose_grid([*words, "dataset=cifar10", "model=resnet18", "epochs=100"]).cells
    assert {cell.config["noise"]["rate"] for cell in cells} == {0.2, 0.4}
    tasks = group_tasks(read_results([CIFAR10 / "runs"]).runs)
    data = {"data": tasks[0].config["data"]}
    asked = {robustness.but_for_labels({**cell.config, **data}) for cell in cells}
    assert [task.config["epochs"] for task in tasks if robustness.but_for_labels(task.config) in asked] == [100]
