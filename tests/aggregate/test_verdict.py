"""The verdict on a task: one line first, no claim that the runs don't allow, and each limit named."""

import itertools
import re

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.sweep_answers import answers_of_sweep
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task, describe_task
from sweeper.runs.results import read_results
from sweeper.system.text import duration

SCATTER = (0.0, 0.004, -0.002, 0.001, -0.003, 0.002, 0.003, -0.001)


def study(outputs, seeds, lead, **others):
    for k in range(seeds):
        make_run(outputs, seed=k, accuracy=0.9 + SCATTER[k] + lead + SCATTER[-k] / 3, optimizer="lion", **others)
        make_run(outputs, seed=k, accuracy=0.9 + SCATTER[k], optimizer="sgd")
    runs = read_results([outputs]).runs
    return group_tasks(runs), runs


def test_one_seed_allows_no_claim(tmp_path):
    tasks, _ = study(tmp_path, 1, 0.05)
    assert describe_task(tasks[0]) == ["No order: one seed tells nothing of chance; three or more give intervals"]


def test_a_lead_whose_interval_excludes_0_is_the_answer(tmp_path):
    tasks, _ = study(tmp_path, 3, 0.05)
    said = describe_task(tasks[0])
    assert said[0] == "lion > sgd"
    assert said[2].startswith("lion is higher than sgd by 5.") and "(95 % CI 4." in said[2]
    assert "With 2 equal optimizers one leads in all 3 seeds in 25 % of studies." in said


def test_more_seeds_take_the_device_time_of_runs_side_by_side_and_not_the_sum_of_their_clocks(tmp_path):
    """Five runs in five lanes: 500 s each by its own clock, 100 s of the device."""
    shares = {"environment": {"device_seconds": 100.0}}
    for k, name in ((k, name) for k in range(5) for name in ("lion", "sgd")):
        run = make_run(tmp_path, seed=k, optimizer=name, accuracy=0.9 + SCATTER[k] * (1 + (name == "sgd")), **shares)
        change_record(run, result__train_seconds=500.0, result__shared_device=True)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    (power,) = [sentence for sentence in describe_task(task) if sentence.startswith("At 80 %")]
    (takes,) = [sentence for sentence in describe_task(task) if sentence.startswith("They take")]
    most = int(re.search(r"0.5 points takes (\d+)", power.replace("or ", ""))[1])
    assert takes.startswith(f"They take {duration(most * 200)}")


def test_a_small_lead_is_no_order_and_not_called_equal(tmp_path):
    tasks, _ = study(tmp_path, 7, 0.0001)
    said = describe_task(tasks[0])
    assert said[0] == "No significant difference: {lion, sgd} (n = 7)"
    assert "No significant difference doesn't mean equal." in said
    assert any("found in four studies of five" in one for one in said)


def test_seven_of_eight_at_95_and_one_diverged_against_eight_at_93(tmp_path):
    """Neither is first, and text and pairs say the same: higher among the finished runs."""
    for k in range(8):
        status = "diverged" if k == 7 else "completed"
        make_run(tmp_path, status, seed=k, accuracy=0.95 + SCATTER[k] / 2, optimizer="adam")
        make_run(tmp_path, seed=k, accuracy=0.93 + SCATTER[-k], optimizer="sgd")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    said = describe_task(task)
    assert said[0] == "No first place: {sgd, adam}; adam diverged in 1 of 8 seeds"
    words = "adam diverged in 1 of 8 seeds; among finished runs adam is higher than sgd by 2.0"
    assert sum(one.startswith(words) for one in said) == 1
    assert task.comparison.order.ranks == {"sgd": (1, 2), "adam": (1, 2)}


def test_one_optimizer_has_nothing_to_be_compared_with(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, seed=2)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert describe_task(task) == [
        "There is one optimizer only: sgd with 90.00 ± 0.00 % (n = 2).",
        "No other has finished a run, so nothing can be compared.",
    ]


@pytest.mark.parametrize(
    ("status", "said"), [("failed", "No run has completed"), ("diverged", "Every finished run on this task diverged")]
)
def test_without_results_there_is_no_verdict(tmp_path, status, said):
    make_run(tmp_path, status)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task).startswith(said) and len(describe_task(task)) == 1


def test_settings_chosen_on_the_test_images_get_no_verdict(tmp_path):
    study(tmp_path, 3, 0.05)
    for seed in range(3):
        make_run(tmp_path, seed=seed, accuracy=0.99, optimizer="sgd", optimizer__lr=1.0)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    said = describe_task(task)
    assert said[0] == "No verdict between optimizers: settings were chosen by test accuracy."
    assert not any(">" in one or "CI" in one for one in said)
    assert said[-1].startswith("Choose by held-out images, dataset.validation_fraction=0.1 or experiment=tune; or ")


def test_settings_of_one_optimizer_are_told_as_such_and_what_to_do(tmp_path):
    for seed, lr, rate in itertools.product((1, 2), (0.1, 0.3, 1.0), (0.2, 0.4)):
        noise = {"name": "symmetric", "kind": "symmetric", "rate": rate}
        make_run(tmp_path, seed=seed, optimizer__lr=lr, accuracy=0.8 + lr / 10, noise=noise)
    tasks = group_tasks(read_results([tmp_path]).runs)
    told = "There is one optimizer only, sgd, and no verdict between its 3 settings: "
    told += "that would be a choice on test images."
    advice = (
        "Choose by held-out images, dataset.validation_fraction=0.1 or experiment=tune; or compare settings as arms, "
        "by --arm."
    )
    assert answers_of_sweep(tasks) == [told, f"{told} {advice}"] and answers_of_sweep(tasks[:1]) == [f"{told} {advice}"]
    stands = "The one of highest test accuracy stands here, which flatters it."
    assert [describe_task(task) for task in tasks] == [[told, stands, advice]] * 2


def test_a_margin_is_told_with_its_condition(tmp_path):
    tasks, _ = study(tmp_path, 7, 0.0001)
    assert "equivalent" not in " ".join(describe_task(tasks[0])).lower()
    said = describe_task(tasks[0], 0.01)
    assert said[0] == "No significant difference: {lion, sgd} (n = 7); equivalent within ±1 point: lion and sgd"
    assert "The margin of ±1 point counts only if it was fixed before the runs." in said
    assert "No pair is shown to be equivalent within ±0.01 points." in describe_task(tasks[0], 0.0001)


def test_no_sentence_has_more_than_25_words(tmp_path):
    """Of a search without validation, another length, other devices, an optimizer's own schedule, and bad runs."""
    study(tmp_path, 3, 0.05)
    make_run(tmp_path, seed=1, optimizer__lr=1.0)
    make_run(tmp_path, seed=9, epochs=30, environment={"device": "cuda", "precision": "bf16"})
    make_run(tmp_path, "diverged", seed=9, epochs=30, optimizer="schedule_free_sgd", schedule={"name": "warmup"})
    make_run(tmp_path, "failed", seed=4)
    make_run(tmp_path, "interrupted", seed=5)
    runs = read_results([tmp_path]).runs
    tasks = group_tasks(runs)
    said = [*describe_limits(tasks, runs), *(sentence for task in tasks for sentence in describe_task(task, 0.01))]
    assert len(said) >= 10
    for sentence in said:
        assert len([word for word in sentence.split() if any(map(str.isalnum, word))]) <= 25, sentence
