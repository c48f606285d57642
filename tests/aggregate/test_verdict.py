"""The verdict on a task: one line first, no claim that the runs don't allow, and each limit named."""

import itertools
import re

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.sweep_answers import answers_of_sweep
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task, describe_limits, describe_task
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
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


def test_one_completed_beside_one_that_only_diverged(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, "diverged", optimizer="lion")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert describe_task(task) == ["No order: one optimizer only; lion diverged in its one seed"]


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


@pytest.mark.parametrize(("digest", "one"), [("d", True), ("e", False)])
def test_the_same_images_under_two_names_are_one_data_set(digest, one, tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, dataset__name="folder", environment={"data_digest": digest * 64})
    runs = read_results([tmp_path]).runs
    assert ("One data set says nothing about others." in describe_limits(group_tasks(runs), runs)) is one


def test_that_other_test_images_are_not_allowed_for_is_said_beside_intervals(tmp_path):
    told = "The intervals allow for other seeds, not for other test images: "
    told += "where these are few, others could turn the order."
    tasks, runs = study(tmp_path, 3, 0.001)
    assert told in describe_limits(tasks, runs)
    one_seed = [run for run in runs if run.values["seed"] == runs[0].values["seed"]]
    assert told not in describe_limits(group_tasks(one_seed), one_seed)


def test_so_many_test_images_tell_an_accuracy_so_closely(tmp_path):
    """sqrt(0.9 · 0.1 / 400) = 0.015; of two tasks the one whose accuracies are told less closely counts."""
    for optimizer, accuracy in (("sgd", 0.9), ("lion", 0.95)):
        for seed in (1, 2, 3):
            for model, images in (("small", 400), ("large", 10_000)):
                own = {"optimizer": optimizer, "seed": seed, "model__name": model}
                scatter = SCATTER[seed + (optimizer == "sgd")] / 10
                make_run(tmp_path, accuracy=accuracy + scatter, environment={"test_images": images}, **own)
    runs = read_results([tmp_path]).runs
    told = "The intervals allow for other seeds, not for other test images: "
    told += "an accuracy on 400 lies within ±2.9 points of that on all such images (95 %)."
    assert told in describe_limits(group_tasks(runs), runs)


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


@pytest.mark.parametrize(
    ("of_lion", "said"),
    [
        ([0.01], "validation accuracy, each among 1 to 3: that flatters whoever had more."),
        ([0.01, 0.02, 0.03], "validation accuracy, each among 3: that flatters all."),
    ],
)
def test_runs_that_chose_their_settings_are_said_to_flatter(tmp_path, of_lion, said):
    rates = [("sgd", rate) for rate in (0.1, 0.2, 0.3)] + [("lion", rate) for rate in of_lion]
    for seed in (1, 2, 3):
        for optimizer, rate in rates:
            run = make_run(tmp_path, seed=seed, optimizer=optimizer, optimizer__lr=rate)
            change_record(run, result__final_val_accuracy=0.5 + rate)
    runs = read_results([tmp_path]).runs
    limits = describe_limits(group_tasks(runs), runs)
    assert f"The runs that are compared chose the settings, too, by {said}" in limits
    assert any("fresh seeds: python -m sweeper.choose writes" in one for one in limits)
    alone = [run for run in runs if run.values["optimizer"] == "sgd"]
    assert not any("fresh seeds" in one for one in describe_limits(group_tasks(alone), alone))


def test_tuned_beside_untuned_is_said(tmp_path):
    for seed in (1, 2, 3):
        for optimizer in ("sgd", "lion", "adam"):
            make_run(tmp_path, seed=seed, optimizer=optimizer, **({"tuned": "3 epochs"} if optimizer == "sgd" else {}))
    runs = read_results([tmp_path]).runs
    said = describe_limits(group_tasks(runs), runs)
    assert "Only sgd was tuned, which favours it." in said
    may = "another learning rate or weight decay may turn the order."
    assert [one for one in said if may in one] == [f"adam and lion were run with one setting each: {may}"]
    two = [run for run in runs if run.values["optimizer"] != "lion"]
    assert f"adam was run with one setting: {may}" in describe_limits(group_tasks(two), two)
    rest = [run for run in runs if run.values["optimizer"] != "sgd"]
    assert not any("tuned" in one for one in describe_limits(group_tasks(rest), rest))
    assert f"Each optimizer was run with one setting: {may}" in describe_limits(group_tasks(rest), rest)


def test_of_many_untuned_ones_the_first_are_named(tmp_path):
    for optimizer in ("sgd", "a", "b", "c", "d", "e", "f"):
        make_run(tmp_path, optimizer=optimizer, **({"tuned": "3 epochs"} if optimizer == "sgd" else {}))
    runs = read_results([tmp_path]).runs
    said = describe_limits(group_tasks(runs), runs)
    assert any(one.startswith("a, b, c, d and 2 more were run with one setting each: another") for one in said)


def test_runs_that_arms_took_from_a_comparison_are_said(tmp_path):
    for seed in (1, 2, 3):
        for optimizer in ("sgd", "lion", "adam"):
            make_run(tmp_path, seed=seed, optimizer=optimizer)
    cosine = [make_run(tmp_path, seed=seed) for seed in (1, 2, 3)]
    constant = [make_run(tmp_path, seed=seed, schedule={"name": "constant"}) for seed in (1, 2, 3)]
    said = "Runs that a sweep named as arms, 'cosine', are compared as arms alone, not in "
    for arms in ([], [{"cosine": cosine, "constant": constant}]):
        record_arms(tmp_path, AskedRuns([*cosine, *constant] if arms else [], arms))
        runs = read_results([tmp_path]).runs
        assert any(one.startswith(said) for one in describe_limits(group_tasks(runs), runs)) == bool(arms)


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


def test_data_of_one_name_and_other_content_are_said(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, optimizer="lion", environment={"data_digest": "e" * 64})
    runs = read_results([tmp_path]).runs
    words = "Runs of different data stand as tasks of their own and are compared with none."
    assert words in describe_limits(group_tasks(runs), runs)


def test_an_optimizers_own_schedule_is_said_once(tmp_path):
    for rate in (0.0, 0.2):
        noise = {"name": "symmetric", "kind": "symmetric", "rate": rate, "seed": 0}
        make_run(tmp_path, noise=noise)
        make_run(tmp_path, noise=noise, optimizer="schedule_free_sgd", schedule={"name": "warmup"})
    runs = read_results([tmp_path]).runs
    words = "schedule_free_sgd has the schedule that its own YAML brings, warmup; the others have cosine."
    assert describe_limits(group_tasks(runs), runs).count(words) == 1


@pytest.mark.parametrize("words", ["20 epochs", "9 epochs on images 01234567"])
def test_tuned_ones_in_other_words_are_all_tuned(tmp_path, words):
    """It ended in a traceback."""
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed, optimizer="sgd", tuned="9 epochs")
        make_run(tmp_path, seed=seed, optimizer="adam", tuned=words)
    runs = read_results([tmp_path]).runs
    assert not any("one setting" in one for one in describe_limits(group_tasks(runs), runs))


def test_who_was_tuned_in_one_task_alone_is_named_for_the_other(tmp_path):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed, optimizer="sgd", tuned="9 epochs")
        make_run(tmp_path, seed=seed, optimizer="adam")
        for optimizer in ("sgd", "adam"):
            make_run(tmp_path, seed=seed, optimizer=optimizer, epochs=7)
    runs = read_results([tmp_path]).runs
    said = [one for one in describe_limits(group_tasks(runs), runs) if "one setting" in one]
    assert said == [
        "adam and sgd were run with one setting each: another learning rate or weight decay may turn the order."
    ]
