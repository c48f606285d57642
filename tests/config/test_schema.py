"""What is misspelt or out of range ends in one line that says what to do, before anything is written."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.config.resolved import other_circumstances
from sweeper.system.errors import BadInput

BAD = {
    "optimzer=adam": "there is no option 'optimzer'; did you mean 'optimizer'?",
    "optimizer=loin": "there is no such optimizer; did you mean 'lion'?",
    "dataset=cifar11": "there is no such dataset; did you mean 'cifar10'?",
    "noise=symetric": "did you mean 'symmetric'?",
    "experiment=gird": "did you mean 'grid'?",
    "hydra/launcher=jolib": "did you mean 'joblib'?",
    "hydra/launcher=nope": "there is no such hydra/launcher; there are: basic, joblib, local, packed, ",
    "hydra/lancher=joblib": "did you mean 'hydra/launcher'?",
    "seed=-1": "seed=-1: must be an integer of at least 0",
    "seed=1.5": "seed=1.5: Value '1.5' of type 'float' could not be converted to Integer",
    "seed=one": "seed=one: Value 'one' of type 'str' could not be converted to Integer",
    "seed=1..3": "could not be converted to Integer; several are a sweep, -m seed=1,2,3",
    "seed=1,2,3": "seed=1,2,3: several values are a sweep; add -m",
    "epochs=0": "epochs=0: must be an integer of at least 1",
    "batch_size=0": "batch_size=0: must be an integer of at least 1",
    "epoch=10": "did you mean 'epochs'?",
    "optimizer.lr=-1": "optimizer.lr=-1: must be above 0",
    "optimizer.lr=nan": "optimizer.lr=nan: must be a finite number above 0",
    "optimizer.lr=inf": "optimizer.lr=inf: must be a finite number above 0",
    "optimizer.lr=null": "optimizer.lr=null: must be a number above 0",
    "optimizer.learning_rate=1": "there is no option 'optimizer.learning_rate'; did you mean 'optimizer.lr'?",
    "schedule.foo=1": "there is no option 'schedule.foo'; there are: schedule._partial_, ",
    "optimizer.lr=fast": "optimizer.lr=fast: must be a number, such as 0.",
    "optimizer.lrr=0.1": "there is no option 'optimizer.lrr'; did you mean 'optimizer.lr'?",
    "optimizer.weight_decay=-1": "optimizer.weight_decay=-1: must be from 0",
    "optimizer.momentum=1": "optimizer.momentum=1: must be from 0 and below 1",
    "noise.rate=0.2": "noise=none has no rate; choose e.g. noise=symmetric",
    "device.precision=bf17": "did you mean 'bf16'?",
    "device.threads=0": "device.threads=0: must be an integer of at least 1",
    "device=gpu": "there is no such device",
    "dataset.train_limit=0": "dataset.train_limit=0: must be an integer of at least 1",
    "dataset.validation_fraction=1": "dataset.validation_fraction=1: must be from 0 and below 1",
    "target_accuracy=94": "target_accuracy=94: must be above 0 and at most 1, such as 0.95",
    "lr_factor=0": "lr_factor=0.0: must be a number above 0",
    "rerun=perhaps": "rerun=perhaps: Value 'perhaps' is not a valid bool",
    "optimizer": "options are given as name=value",
    "tag=[": "can't be read; quote the value for Hydra and all of it for the shell: \"tag='['\"",
    "tag=": "tag=: nothing is given; give a name, or leave it out",
    "outputs=": "outputs=: nothing is given",
    "=": "=: options are given as name=value",
    "seed=1,": "seed=1,: a value is missing after the last comma",
    "optimizer=[adam,sgd]": "a run has one optimizer; several are a sweep: -m optimizer=adam,sgd",
    "+optimizer=adam": "+optimizer=adam: leave out the +",
    "~optimizer": "~optimizer: every option and group is needed",
    "hydra.job.chdir=true": "hydra.job.chdir=true: where runs lie follows from their names; choose the folder",
    "hydra.sweep.dir=elsewhere": "choose the folder by outputs=DIR",
    "--config-name=mine": "--config-name mine: conf/ has no such file",
    "hydra.launcher.lanes=2": "hydra.launcher.lanes=2: there is no such option with these choices; --cfg hydra shows",
    "hydra/launcher=slurm_schema": "there is no such hydra/launcher",
    "--resolve": "--package and --resolve are for --cfg; see python -m sweeper.train --help",
    "--cfg=jobs": "invalid choice: 'jobs'",
    "optimizer=1": "optimizer=1: there is no such optimizer; there are: ",
}


@pytest.mark.parametrize("override", BAD)
def test_bad_input_is_one_line(override, call, tmp_path):
    code, out, err = call("dataset=digits", override) if not override.startswith("dataset=") else call(override)
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert BAD[override] in err
    assert out == "" and list(tmp_path.iterdir()) == []


def test_noise_rate_above_one_is_refused(call):
    code, _, err = call("noise=symmetric", "noise.rate=1.5")
    assert (code, err) == (2, "error: noise.rate=1.5: must be from 0 to 1\n")


def test_one_bad_cell_stops_the_whole_sweep_before_it_starts(call, tmp_path):
    code, _, err = call("-m", "dataset=digits", "optimizer=sgd,adam", "epochs=3,2,0")
    assert (code, err) == (2, "error: epochs=0: must be an integer of at least 1\n")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_range_is_no_sweep(call, tmp_path):
    code, _, err = call("-m", "dataset=digits", "seed=range(5,1)")
    assert code == 2 and err.startswith(
        "error: seed=range(5,1): no values; range(start, end) goes from start up to end"
    )
    assert err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_a_sweeps_configuration_is_shown_for_one_run_only(call):
    code, out, err = call("-m", "experiment=grid", "--cfg", "job")
    assert (code, out) == (2, "")
    assert err == ("error: --cfg shows one run's configuration; leave out -m; see python -m sweeper.train --help\n")


def test_a_config_folder_that_is_not_there_is_named(call):
    code, _, err = call("--config-dir", "nowhere", "optimizer=lion")
    assert (code, err) == (2, "error: --config-dir nowhere: there is no such folder\n")


def test_a_file_is_no_config_folder(call, tmp_path):
    (tmp_path / "lion.yaml").write_text("lr: 0.1\n")
    code, _, err = call("--config-dir", "lion.yaml", "optimizer=lion")
    assert code == 2 and err.startswith(
        "error: --config-dir lion.yaml: is a file; name the folder that holds optimizer/"
    )


def test_the_types_of_plugins_options_are_not_listed_as_choices(call):
    assert "_schema" not in call("hydra/launcher=nope")[2] + call("hydra/sweeper=nope")[2]


def test_the_order_of_overrides_makes_no_other_run():
    overrides = ["optimizer=lion", "seed=3", "noise=symmetric", "noise.rate=0.3", "epochs=7"]
    forward, backward = compose_grid(overrides), compose_grid(overrides[::-1])
    assert forward.cells[0].directory == backward.cells[0].directory


def test_values_written_differently_are_one_run():
    lr = [compose_grid(["optimizer=sgd", f"optimizer.lr={text}"]).cells[0] for text in ("0.05", "5e-2", "0.050")]
    factor = compose_grid(["optimizer=sgd", "lr_factor=0.5"]).cells[0]
    assert len({cell.directory for cell in [*lr, factor]}) == 1
    assert factor.config["optimizer"]["lr"] == 0.05


@pytest.mark.parametrize(
    ("dataset", "model", "epochs"), [("cifar10", "resnet18", 200), ("digits", "cnn", 20), ("mnist", "cnn", 30)]
)
def test_a_data_set_brings_its_model_and_epochs_unless_told_otherwise(dataset, model, epochs):
    config = compose_grid([f"dataset={dataset}"]).cells[0].config
    assert (config["model"]["name"], config["epochs"]) == (model, epochs)
    config = compose_grid([f"dataset={dataset}", "model=mlp", "epochs=3"]).cells[0].config
    assert (config["model"]["name"], config["epochs"]) == ("mlp", 3)


def test_the_grid_is_five_optimizers_by_three_seeds():
    grid = compose_grid(["-m", "experiment=grid", "dataset=digits,cifar10"])
    assert len(grid.cells) == 30 and grid.sweep
    assert {cell.config["optimizer"]["name"] for cell in grid.cells} == {"sgd", "adam", "adamw", "lion", "muon"}
    assert {(cell.config["dataset"]["name"], cell.config["epochs"]) for cell in grid.cells} == {
        ("digits", 20),
        ("cifar10", 200),
    }
    narrowed = compose_grid(["-m", "experiment=grid", "optimizer=lion"])
    assert [cell.config["seed"] for cell in narrowed.cells] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "runs", "epochs"),
    [("quick", 15, 10), ("milestone", 15, 50), ("final", 15, 200), ("robustness", 30, 100), ("tune", 45, 8)],
)
def test_presets(preset, runs, epochs):
    cells = compose_grid(["-m", f"experiment={preset}"]).cells
    assert len(cells) == runs
    assert {(cell.config["epochs"], cell.config["save_model"]) for cell in cells} == {(epochs, False)}


def test_a_cell_asked_for_twice_is_one_run():
    assert len(compose_grid(["-m", "dataset=digits", "seed=1,1,01"]).cells) == 1


def test_a_pattern_is_all_the_choices_that_fit():
    optimizers = [cell.config["optimizer"]["name"] for cell in compose_grid(["-m", "optimizer=glob(*dam)"]).cells]
    assert optimizers == ["adam", "nadam", "radam"]
    kept = compose_grid(["-m", "optimizer=glob([ada*,sg*],exclude=*w)", "dataset=digits"]).cells
    assert [cell.config["optimizer"]["name"] for cell in kept] == ["adafactor", "adagrad", "adam", "adan", "sgd"]


def test_a_user_adds_groups_by_a_folder(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n")
    config = compose_grid(["--config-dir", str(tmp_path), "optimizer=mine"]).cells[0].config
    assert (config["optimizer"]["name"], config["optimizer"]["lr"]) == ("mine", 0.3)
    with pytest.raises(BadInput, match="did you mean 'mine'"):
        compose_grid(["--config-dir", str(tmp_path), "optimizer=mien"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("optimizer=null",), "a run needs a choice of optimizer"),
        (("--config-path", "elsewhere"), "--config-path isn't for this command; --config-dir adds groups"),
        (("+foo=1",), "nothing reads an added option 'foo'"),
        (("-m", "optimizer=glob(x*)"), "no choice of optimizer fits; there are: adafactor, "),
        (("-m", "seed=glob(*)"), "no choice of seed fits; there are none"),
        (("optimizer=glob(*)",), "several values are a sweep; add -m"),
        (("device=interval(0,1)",), "give the values one by one, e.g. device=1,2,3"),
        (("-m", "optimizer.lr=interval(0,1)"), "give the values one by one, e.g. optimizer.lr=1,2,3"),
        (("-m", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0"), "must be the number of parallel runs"),
    ],
)
def test_what_could_not_be_carried_out_is_refused(arguments, words, call, tmp_path):
    code, _, err = call("dataset=digits", *arguments)
    assert code == 2 and words in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["quick", "milestone", "final", "robustness"])
def test_a_preset_cut_short_has_whole_seeds_of_all_optimizers(preset):
    cells = compose_grid(["-m", f"experiment={preset}"]).cells
    first = [cell.config["optimizer"]["name"] for cell in cells if cell.config["seed"] == 1]
    assert {cell.config["seed"] for cell in cells[: len(first)]} == {1}
    assert len(set(first)) == 5 and len(cells) == 3 * len(first)


def test_how_a_run_was_made_is_what_was_used_and_not_what_was_asked_for():
    asked = compose_grid(["dataset=digits"]).cells[0].config
    run = {"config": asked, "environment": {"device": "cuda", "precision": "bf16", "threads": 4}}
    assert other_circumstances(asked, run, "cpu") == ["device.kind=cuda"]
    assert other_circumstances(asked, run, "cuda") == []

    def otherwise(*overrides: str) -> list[str]:
        return other_circumstances(compose_grid(["dataset=digits", *overrides]).cells[0].config, run, "cuda")

    assert otherwise("device.precision=bf16", "device.threads=4", "device.kind=cuda") == []
    assert otherwise("device.precision=fp32", "device.threads=1") == ["device.precision=bf16", "device.threads=4"]
    assert otherwise("device=cpu") == ["device.kind=cuda"]
    assert otherwise("optimizer=lion", "record_host=false") == []  # another run altogether; and no matter
