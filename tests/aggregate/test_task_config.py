"""A task is all of the identity but optimizer, seed, and a schedule that an optimizer brings."""

import pytest
from conftest import REPOSITORY
from made_runs import make_config

from sweeper.aggregate.labels import task_labels
from sweeper.aggregate.task_config import brings_schedule, own_schedules, task_configs
from sweeper.config.grid import compose_grid
from sweeper.runs.identity import flat, identity_config

COSINE = {"name": "cosine", "warmup_fraction": 0.05}
WSD = {"name": "wsd", "warmup_fraction": 0.05}
WARMUP = {"name": "warmup", "warmup_fraction": 0.05}


def configuration(*arguments, **changes):
    return {k: v for k, v in identity_config(make_config(*arguments, **changes)).items() if k != "seed"}


def count_tasks(*configs):
    """How many tasks these configurations are."""
    found = task_configs({str(k): config for k, config in enumerate(configs)})
    return len({str(sorted(task.items())) for task in found.values()})


def test_every_option_of_the_identity_but_the_optimizers_is_the_tasks():
    """Of today's identity, whatever it has."""
    (cell,) = compose_grid([]).cells
    whole = {k: v for k, v in identity_config(cell.config).items() if k != "seed"}
    options = [name for name, _ in flat(whole)]
    assert {"decay_norms_and_biases", "schedule.name", "batch_size", "model.width"} <= set(options)
    for name in options:
        group, _, option = name.rpartition(".")
        other = whole | ({group: whole[group] | {option: "other"}} if group else {option: "other"})
        assert count_tasks(whole, other) == (1 if group == "optimizer" else 2), name


@pytest.mark.parametrize("option", ["label_smoothing=0.1", "clip_grad_norm=1", "ema=0.999", "drop_last=true"])
def test_an_option_of_the_recipe_is_the_tasks_and_in_its_label(option):
    cells = [compose_grid(words).cells[0].config for words in ([], [option], ["optimizer=adam", option])]
    configs = [{k: v for k, v in identity_config(config).items() if k != "seed"} for config in cells]
    assert count_tasks(*configs) == count_tasks(*configs[:2]) == 2 and count_tasks(*configs[1:]) == 1
    name, _, value = option.partition("=")
    labels = task_labels(list(task_configs({"plain": configs[0], "with": configs[1]}).values()))
    assert [label.removeprefix("cifar10, resnet18, no label noise, ") for label in labels] == [
        f"{name} –",
        f"{name} {value}",
    ]


def test_an_option_that_old_records_lack_sets_them_apart():
    assert count_tasks(configuration(), configuration(decay_norms_and_biases=True)) == 2


def test_an_optimizers_own_schedule_is_what_its_yaml_chooses():
    assert own_schedules() == {"schedule_free_adamw": "warmup", "schedule_free_sgd": "warmup"}
    (cell,) = compose_grid(["optimizer=schedule_free_sgd"]).cells
    assert brings_schedule(cell.config)
    (cell,) = compose_grid(["optimizer=schedule_free_sgd", "schedule=cosine"]).cells
    assert not brings_schedule(cell.config)
    (cell,) = compose_grid(["optimizer=sgd", "schedule=warmup"]).cells
    assert not brings_schedule(cell.config)


def test_an_optimizers_own_schedule_does_not_split_a_task():
    free = [configuration(f"schedule_free_{name}", schedule=WARMUP) for name in ("sgd", "adamw")]
    usual = [configuration(name, schedule=COSINE) for name in ("sgd", "adamw")]
    assert count_tasks(*usual, *free) == 1
    assert count_tasks(*free) == 1
    assert task_configs({"a": free[0], "b": usual[0]})["a"]["schedule"] == COSINE


def test_a_schedule_that_was_asked_for_splits():
    assert count_tasks(configuration("sgd", schedule=COSINE), configuration("adam", schedule=WSD)) == 2
    assert count_tasks(configuration("sgd", schedule=COSINE), configuration("sgd", schedule=WARMUP)) == 2
    asked = configuration("schedule_free_sgd", schedule=WSD)
    assert count_tasks(configuration("sgd", schedule=COSINE), asked) == 2


def test_among_several_schedules_an_own_one_is_with_its_like():
    free = configuration("schedule_free_sgd", schedule=WARMUP)
    assert count_tasks(configuration(schedule=COSINE), configuration(schedule=WSD), free) == 3
    assert count_tasks(configuration(schedule=COSINE), configuration(schedule=WARMUP), free) == 2


@pytest.mark.parametrize("schedule", [None, "cosine", ["cosine"], {"name": 3}, {}])
def test_a_record_of_strange_form_is_a_task_of_its_own(schedule):
    free = configuration("schedule_free_sgd") | {"schedule": schedule}
    assert count_tasks(configuration(), free) == 2


def test_the_rule_is_in_the_documentation():
    text = " ".join((REPOSITORY / "docs" / "statistics.md").read_text().split())
    assert (
        "all of a run's identity but its optimizer, its seed and a schedule that the optimizer's own YAML brings"
        in text
    )
