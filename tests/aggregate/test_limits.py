"""Each limit of a verdict is named."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.results import read_results

SCATTER = (0.0, 0.004, -0.002, 0.001, -0.003, 0.002, 0.003, -0.001)


@pytest.mark.parametrize(("digest", "one"), [("d", True), ("e", False)])
def test_the_same_images_under_two_names_are_one_data_set(digest, one, tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, dataset__name="folder", environment={"data_digest": digest * 64})
    runs = read_results([tmp_path]).runs
    assert ("One data set says nothing about others." in describe_limits(group_tasks(runs), runs)) is one


def test_that_other_test_images_are_not_allowed_for_is_said_beside_intervals(tmp_path):
    told = "The intervals allow for other seeds, not for other test images: "
    told += "where these are few, others could turn the order."
    for seed in range(3):
        for optimizer, scatter in (("lion", SCATTER[seed]), ("sgd", SCATTER[-seed])):
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9 + scatter)
    runs = read_results([tmp_path]).runs
    assert told in describe_limits(group_tasks(runs), runs)
    one_seed = [run for run in runs if run.values["seed"] == 0]
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
    told += "an accuracy on 400 images lies within ±2.94 points of that on all such (95 %)."
    assert told in describe_limits(group_tasks(runs), runs)
    make_run(tmp_path, "failed", optimizer="sgd", seed=4, model__name="small")  # has no accuracy, and no number
    runs = read_results([tmp_path]).runs
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
