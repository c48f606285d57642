"""What a search's command line changed is in its preset, so that the comparison is what was tuned for."""

import pytest
from made_runs import change_record, make_rows, write_finished_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.choose.choice import choose
from sweeper.choose.recipe import recipe_of
from sweeper.config.grid import compose_grid
from sweeper.config.tuned import recipe_hash
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput

NAMED = {"dataset": "digits", "model": "mlp"}
WORDS = ("dataset=digits", "model=mlp", "device=cpu", "epochs=2")
CHANGED = ("batch_size=32", "model.width=32", "schedule=wsd", "schedule.decay_fraction=0.3", "dataset.train_limit=400")
CHANGED += ("dataset.flip=true", "ema=0.9", "decay_norms_and_biases=false", "divergence_loss=50")


def make_search(outputs, *words, optimizers=("sgd", "lion")):
    """Two trials of each optimizer, with the configuration that the words give."""
    configs = []
    line = ["-m", "seed=101", f"optimizer={','.join(optimizers)}", "dataset.validation_fraction=0.1", "lr_factor=1,2"]
    for cell in compose_grid([*line, *WORDS, *words]).cells:
        rows = make_rows([0.7, 0.8])
        run = write_finished_run(outputs, cell.config | {"outputs": str(outputs)}, rows, {"data_digest": "d" * 64})
        change_record(run, result__final_val_accuracy=0.8)
        configs.append(cell.config)
    return configs


@pytest.mark.parametrize("changed", [(), CHANGED, ("noise=symmetric", "noise.rate=0.4", "batch_size=16")])
def test_the_printed_command_trains_by_the_searchs_recipe(tmp_path, changed):
    searched = make_search(tmp_path / "runs", *changed)
    said = choose([str(tmp_path / "runs")], str(tmp_path), write=str(tmp_path / "mine"), name="chosen")
    words = said.split("sweeper.train ")[1].split()
    assert ("batch_size:" in (tmp_path / "mine" / "experiment" / "chosen.yaml").read_text()) == bool(changed)
    cells = compose_grid([*words, "device=cpu"]).cells
    assert len(cells) == 10
    assert {recipe_hash(cell.config) for cell in cells} == {recipe_hash(config) for config in searched}


def test_a_preset_of_an_earlier_version_is_completed(tmp_path):
    """It is of the same choice, and left unsaid what the search's command line had changed."""
    make_search(tmp_path / "runs", "batch_size=16", "noise=symmetric")
    arguments = {"outputs": [str(tmp_path / "runs")], "into": str(tmp_path), "write": str(tmp_path / "mine")}
    choose(**arguments)
    preset = tmp_path / "mine" / "experiment" / "tuned.yaml"
    whole = preset.read_text()
    earlier, _, added = whole.partition("batch_size:")
    assert "noise:" in added
    preset.write_text(earlier)
    choose(**arguments)
    assert preset.read_text() == whole
    preset.write_text(whole.replace("epochs: 2", "epochs: 3"))
    with pytest.raises(BadInput, match="is of another choice"):
        choose(**arguments)


def test_a_schedule_that_an_optimizer_brings_is_left_to_it(tmp_path):
    (tmp_path / "own" / "optimizer").mkdir(parents=True)
    own = "defaults:\n  - override /schedule@_global_.schedule: constant\n"
    own += "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n"
    (tmp_path / "own" / "optimizer" / "flat.yaml").write_text(own)
    where = ["--config-dir", str(tmp_path / "own")]
    make_search(tmp_path / "runs", *where, optimizers=("sgd", "flat"))
    for task in group_tasks(read_results([tmp_path / "runs"]).runs):
        assert recipe_of(task, NAMED, ["constant", "cosine"], where) == ("", {}, [])


def test_a_setting_that_no_longer_composes_is_refused(tmp_path):
    """What its search's command line had changed, such as the batch size, was left out of the preset without a word."""
    (tmp_path / "own" / "optimizer").mkdir(parents=True)
    own = tmp_path / "own" / "optimizer" / "flat.yaml"
    own.write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    where = ["--config-dir", str(tmp_path / "own")]
    make_search(tmp_path / "runs", *where, "batch_size=16", optimizers=("flat",))
    own.write_text("defaults:\n  - override /schedule@_global_.schedule: gone\n" + own.read_text())
    given = {"write": str(tmp_path / "mine"), "config_dir": str(tmp_path / "own")}
    with pytest.raises(
        BadInput, match=r"flat-seed101.*no longer composes .*'schedule/gone'\); mend that, or leave out"
    ):
        choose([str(tmp_path / "runs")], str(tmp_path), **given)
    assert not (tmp_path / "mine").exists()


def test_texts_of_records_are_told_and_not_copied(tmp_path):
    make_search(tmp_path / "runs", "schedule=wsd")
    (task,) = group_tasks(read_results([tmp_path / "runs"]).runs)
    recipe = recipe_of(task, NAMED, ["cosine"], [])
    assert recipe.schedule == "" and recipe.unnamed == ["schedule=wsd"]
    other = recipe_of(task, {"dataset": "mnist1d"}, ["cosine", "wsd"], [])
    assert other.schedule == "wsd" and any(one.startswith("dataset.loader=") for one in other.unnamed)
    assert not any("model" in name for name in other.values)
