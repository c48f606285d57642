"""The control of a study, `docs/study/control.py`: chosen settings beside published ones."""

import numpy as np
import pytest
from conftest import REPOSITORY
from made_runs import make_run
from scipy import stats

from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results
from tests.project.test_study import load_module

control = load_module(REPOSITORY / "docs" / "study" / "control.py")


def test_of_one_optimizer_the_interval_is_the_paired_t_interval():
    chosen, published = {1: 0.94, 2: 0.95, 3: 0.947}, {1: 0.93, 2: 0.945, 3: 0.94}
    found = control.contrasts({("sgd", 0): chosen, ("sgd", 1): published})["sgd"]
    differences = np.array([chosen[seed] - published[seed] for seed in chosen])
    low, high = stats.t.interval(0.95, 2, differences.mean(), differences.std(ddof=1) / np.sqrt(3))
    assert found == pytest.approx((differences.mean(), low, high))


def test_the_scatter_of_all_settings_is_pooled():
    scores = {("sgd", 0): {1: 1.0, 2: 2.0}, ("sgd", 1): {1: 0.0, 2: 1.0}, ("lion", 0): {1: 5.0, 2: 7.0}}
    scores["lion", 1] = {1: 4.0, 2: 4.0}
    # Residuals of setting + seed: the settings' slopes between the seeds are 1, 1, 2, 0, their mean 1; the residuals
    # ± half of what is left: 0, 0, ± 0.5, ± 0.5. Sum of squares 1, degrees of freedom (4 - 1)(2 - 1) = 3.
    reach = stats.t.ppf(0.975, 3) * np.sqrt(1 / 3) * np.sqrt(2 / 2)
    found = control.contrasts(scores)
    assert found["sgd"] == pytest.approx((1.0, 1.0 - reach, 1.0 + reach))
    assert found["lion"] == pytest.approx((2.0, 2.0 - reach, 2.0 + reach))


def test_a_worse_choice_is_a_failure_and_equal_values_need_no_test(tmp_path):
    for seed, chosen, published in ((1, 0.80, 0.91), (2, 0.81, 0.90), (3, 0.80, 0.91)):
        make_run(tmp_path / "chosen", optimizer="lion", optimizer__lr=0.9, seed=seed, accuracy=chosen)
        make_run(tmp_path / "published", optimizer="lion", seed=seed, accuracy=published)
        for folder in ("chosen", "published"):
            make_run(tmp_path / folder, optimizer="sgd", seed=seed, accuracy=0.9)
    tasks = [group_tasks(read_results([tmp_path / folder]).runs)[0] for folder in ("chosen", "published")]
    lion, sgd = control.controls(*tasks)
    assert (lion.optimizer, lion.failed, sgd.optimizer, sgd.failed) == ("lion", True, "sgd", False)
    assert lion.difference == pytest.approx(-0.31 / 3) and sgd.difference is None
    failed = control.failure(tasks[0], tasks[1:])
    assert (failed.names, failed.then) == ("lion", "No significant difference: {lion, sgd} (n = 3)")
    assert "lion's published values end 10.33 points higher than its chosen ones (95 % interval " in failed.words()
    assert "lion 90.67 ± 0.58 % (n = 3)" in failed.words() and failed.then in failed.words()
    said = control.describe_control(tasks[:1], tasks[1:])
    assert "Worse than the published values: lion. The protocol failed." in said and "Not trained" not in said


def test_a_choice_all_of_whose_runs_diverged_is_a_failure_and_leaves_the_other_intervals_alone(tmp_path):
    for seed, chosen, published in ((1, 0.92, 0.91), (2, 0.91, 0.90), (3, 0.93, 0.91)):
        make_run(tmp_path / "chosen", status="diverged", optimizer="lion", optimizer__lr=0.9, seed=seed)
        make_run(tmp_path / "published", optimizer="lion", seed=seed)
        make_run(tmp_path / "chosen", optimizer="sgd", optimizer__lr=0.2, seed=seed, accuracy=chosen)
        make_run(tmp_path / "published", optimizer="sgd", seed=seed, accuracy=published)
    tasks = [group_tasks(read_results([tmp_path / folder]).runs)[0] for folder in ("chosen", "published")]
    lion, sgd = control.controls(*tasks)
    assert (lion.failed, lion.difference, sgd.failed) == (True, None, False)
    assert sgd.difference == pytest.approx(0.04 / 3) and sgd.low < sgd.difference < sgd.high
    told = control.failure(tasks[0], tasks[1:]).words()
    assert "failed**: lion diverged with its chosen values and not with the published ones. With the published" in told
    swapped, _ = control.controls(*reversed(tasks))
    assert not swapped.failed and swapped.difference is None


def test_a_control_that_lacks_a_run_says_which(tmp_path):
    for seed in (1, 2, 3):
        for folder, rate in (("chosen", 0.9), ("published", 0.1)):
            for name in ("lion", "sgd"):
                if (folder, name, seed) != ("published", "sgd", 3):
                    make_run(
                        tmp_path / folder, optimizer=name, optimizer__lr=rate, seed=seed, accuracy=0.9 + rate / 100
                    )
    tasks = [group_tasks(read_results([tmp_path / folder]).runs) for folder in ("chosen", "published")]
    assert control.describe_control(*tasks).endswith("\n\nNot trained yet, of the published values: sgd seed 3.")
    assert control.failure(tasks[0][0], tasks[1]) is None
    make_run(tmp_path / "chosen", optimizer="adam", seed=1)
    (task,) = group_tasks(read_results([tmp_path / "chosen"]).runs)
    assert control.describe_control([task], tasks[1]).endswith(": adam seed 1, 2, 3 and sgd seed 3.")
    assert control.describe_control(tasks[0], []) == ""
