"""The words: no claim that the seeds don't allow, and each limit named."""

import math

import pytest
from made_runs import make_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import describe_limits, describe_pair, describe_task, points
from sweeper.runs.results import read_results

SCATTER = (0.0, 0.004, -0.002, 0.001, -0.003, 0.002, 0.003)


def study(outputs, seeds, lead, **others):
    for k in range(seeds):
        make_run(outputs, seed=k, accuracy=0.9 + SCATTER[k] + lead + SCATTER[-k] / 3, optimizer="lion", **others)
        make_run(outputs, seed=k, accuracy=0.9 + SCATTER[k], optimizer="sgd")
    runs = read_results([outputs]).runs
    return group_tasks(runs), runs


def test_one_seed_allows_no_claim(tmp_path):
    tasks, _ = study(tmp_path, 1, 0.05)
    assert "One seed tells nothing of chance" in describe_task(tasks[0])[1]
    assert describe_pair(tasks[0].pairs[0]) == "one seed tells nothing of chance"


def test_three_seeds_allow_a_lead_and_no_more(tmp_path):
    tasks, _ = study(tmp_path, 3, 0.05)
    text = " ".join(describe_task(tasks[0]))
    assert text.startswith("First in final test accuracy is lion with 95.")
    assert "ahead of sgd in each of 3 seeds" in text
    assert "which 3 seeds can't show" in text and "25 % of studies" in text
    assert "better" not in text
    assert describe_pair(tasks[0].pairs[0]) == "lion ahead; 3 seeds are too few for more"


def test_seven_seeds_allow_better(tmp_path):
    tasks, _ = study(tmp_path, 7, 0.05)
    text = " ".join(describe_task(tasks[0]))
    assert "it is better than sgd" in text and "seeds are few" not in text
    assert describe_pair(tasks[0].pairs[0]) == "lion better"


def test_a_small_lead_is_not_told_apart_and_not_called_equal(tmp_path):
    tasks, _ = study(tmp_path, 7, 0.0001)
    text = " ".join(describe_task(tasks[0]))
    assert "not told apart from" in text and "doesn't show that they are equal" in text
    assert "four studies of five" in text


def test_one_optimizer_has_nothing_to_be_compared_with(tmp_path):
    make_run(tmp_path)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    (said,) = describe_task(task)
    assert said.startswith("There is one optimizer only: sgd with 90.00 % (n = 1).")


@pytest.mark.parametrize(
    ("status", "said"), [("failed", "No run has completed"), ("diverged", "Every finished run on this task diverged")]
)
def test_without_results_there_is_no_verdict(tmp_path, status, said):
    make_run(tmp_path, status)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert describe_task(task)[0].startswith(said)


def test_settings_chosen_on_the_test_images_get_no_verdict(tmp_path):
    study(tmp_path, 3, 0.05)
    for seed in range(3):
        make_run(tmp_path, seed=seed, accuracy=0.99, optimizer="sgd", optimizer__lr=1.0)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    text = " ".join(describe_task(task))
    assert "no verdict between optimizers" in text and "told apart" not in text and "Holm" not in text


def test_a_divergence_is_named(tmp_path):
    study(tmp_path, 3, 0.05)
    make_run(tmp_path, "diverged", seed=3, optimizer="lion")
    make_run(tmp_path, seed=3, optimizer="sgd")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    text = " ".join(describe_task(task))
    assert text.startswith("First in final test accuracy is sgd")
    assert "lion diverged in 1 of 4 finished runs and therefore ranks below all that never did" in text


def test_limits_name_what_is_mixed_and_missing(tmp_path):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2, environment={"device": "cuda"})
    make_run(tmp_path, "failed", seed=3)
    make_run(tmp_path, "interrupted", seed=4)
    make_run(tmp_path, seed=5, epochs=30)
    runs = read_results([tmp_path]).runs
    text = " ".join(describe_limits(group_tasks(runs), runs))
    assert "1 run is not finished" in text and "1 run is failed or damaged" in text
    assert "device: cpu, cuda" in text and "different length" in text
    assert "another learning rate" in text and "One data set" in text


def test_nothing_is_not_below_nothing():
    assert [points(share) for share in (-1e-9, 0.0, -0.0125, math.nan)] == ["+0.00", "+0.00", "−1.25", "–"]


def test_what_sets_tasks_apart_is_said(tmp_path):
    for decay in (False, True):
        for schedule in ("cosine", "step"):
            make_run(tmp_path, decay_norms_and_biases=decay, schedule={"name": schedule})
    runs = read_results([tmp_path]).runs
    said = describe_limits(group_tasks(runs), runs)
    words = (
        "Runs of different decay_norms_and_biases and schedule stand as tasks of their own and are compared with none."
    )
    assert words in said
    make_run(tmp_path, epochs=9)
    runs = read_results([tmp_path]).runs
    assert any(
        "of different length or batch size, decay_norms" in one for one in describe_limits(group_tasks(runs), runs)
    )


def test_an_optimizers_own_schedule_is_said_once(tmp_path):
    for rate in (0.0, 0.2):
        noise = {"name": "symmetric", "kind": "symmetric", "rate": rate, "seed": 0}
        make_run(tmp_path, noise=noise)
        make_run(tmp_path, noise=noise, optimizer="schedule_free_sgd", schedule={"name": "warmup"})
    runs = read_results([tmp_path]).runs
    words = "schedule_free_sgd has the schedule that its own YAML brings, warmup; the others have cosine."
    assert describe_limits(group_tasks(runs), runs).count(words) == 1
