"""Newcomers follow the field's protocol; what they may choose is their optimizer's."""

import pytest
from made_runs import make_field

from sweeper.decide.field import read_field
from sweeper.decide.newcomer import read_newcomers
from sweeper.runs.identity import identity_config
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "device=cpu", "optimizer=sgd,adam", "epochs=1", "seed=3,5")
OWN_RECIPE = ("schedule.warmup_fraction=0.1", "batch_size=50", "decay_norms_and_biases=false", "label_smoothing=0.1")


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field")
    make_field(folder, *SMALL, *OWN_RECIPE)
    return read_field(str(folder), [])


def test_a_newcomer_is_trained_as_the_field_was(field):
    asked = read_newcomers(["optimizer=lion", "optimizer.lr=1e-4", "device=cpu", "dataset=digits"], field, 2)
    assert asked.names == ("lion", "sgd", "adam") and asked.pairs == {frozenset(("lion", o)) for o in ("sgd", "adam")}
    config = identity_config(asked.cells["lion"][3].config)
    theirs = {key: value for key, value in field.task.config.items() if key != "data"}
    assert {key: value for key, value in config.items() if key in theirs} == theirs
    assert asked.command(("lion",), 2, asked.results())[-1] == "seed=3,5" and asked.words == {}
    assert config["batch_size"] == 50 and config["optimizer"]["lr"] == 1e-4


def test_arms_are_newcomers_and_an_own_schedule_stays(field):
    arms = (
        "--arm",
        "a: optimizer=lion",
        "--arm",
        "b: optimizer=schedule_free_sgd",
        "--arm",
        "c: optimizer=sgd optimizer.lr=1",
    )
    asked = read_newcomers(list(arms), field, 1)
    schedules = {name: by_seed[3].config["schedule"] for name, by_seed in asked.cells.items()}
    assert schedules["a"]["warmup_fraction"] == 0.1 and schedules["b"]["name"] != schedules["a"]["name"]
    assert len(asked.pairs) == 9
    assert "a: optimizer=lion schedule=cosine " in " ".join(asked.command(("a", "b"), 1, asked.results()))


def test_one_that_is_named_like_one_of_the_field_is_new(field):
    assert next(iter(read_newcomers(["optimizer=sgd", "optimizer.lr=0.3"], field, 2).cells)) == "new sgd"


BAD = {
    ("device=cpu",): "name the newcomer: optimizer=NAME, or arms",
    ("optimizer=sgd",): "new sgd: is sgd of the field itself",
    ("optimizer=lion,adamw",): "2 settings: a newcomer is one",
    (
        "optimizer=lion",
        "dataset.train_limit=100",
    ): "dataset.train_limit=100: the field has null, and its protocol is kept",
    ("optimizer=lion", "device.precision=fp32"): "device.precision=fp32: the field has auto",
    ("optimizer=lion", "optimizer.lrr=1"): "optimizer.lrr=1: there is no option",
    ("--arm", "sgd: optimizer=lion"): "arm 'sgd': the field has an optimizer of this name",
    ("--arm", "a: optimizer=lion epochs=3"): "arm 'a': epochs=3: the field has 1",
}


@pytest.mark.parametrize("words", BAD)
def test_what_departs_from_the_protocol_is_refused_in_a_line(field, words):
    with pytest.raises(BadInput) as refused:
        read_newcomers([*words], field, 2)
    assert BAD[words] in str(refused.value) and "\n" not in str(refused.value)


def test_a_length_of_an_arms_own_is_told_those_that_the_field_has(tmp_path):
    longer = [word for word in SMALL if word != "epochs=1"]
    for length in (1, 2):
        make_field(tmp_path, *longer, *OWN_RECIPE, f"epochs={length}")
    file = tmp_path / "against" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("folder: ..\ntask: epochs=1\n")
    field = read_field("mine", [], str(tmp_path))
    told = "arm 'a': epochs=2: the field has 1 or 2, and its protocol is kept; give one of these, beside the arms$"
    with pytest.raises(BadInput, match=told):
        read_newcomers(["--arm", "a: optimizer=lion epochs=2"], field, 2)


def test_the_fields_own_folder_is_not_written_to(field):
    with pytest.raises(BadInput, match="the field's runs lie there; choose another folder"):
        read_newcomers(["optimizer=lion", f"outputs={field.folder}"], field, 2)


def test_a_recipe_that_is_unknown_here_or_names_code_is_refused(field):
    config = field.task.config
    for changes, told in (
        ({"gone": 1}, "its recipe can't be trained here: gone=1: there is no option 'gone'"),
        ({"model": {**config["model"], "block": {"_target_": "os.system"}}}, "its recipe names code"),
        (
            {"model": {**config["model"], "_target_": "another.mlp"}},
            "another recipe: model._target_ is another.mlp there",
        ),
    ):
        field.task.config = {**config, **changes}
        with pytest.raises(BadInput, match=told):
            read_newcomers(["optimizer=lion"], field, 2)
    field.task.config = config
