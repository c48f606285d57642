"""A command line is the runs that it asks for: each once, whatever the order and spelling of its words."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput

BAD = {
    "seed=1,2,3": "seed=1,2,3: several values are a sweep; add -m",
    "--config-name=mine": "--config-name mine: conf/ has no such file",
    "hydra.launcher.lanes=2": "hydra.launcher.lanes=2: there is no such option with these choices; --cfg hydra shows",
    "--resolve": "--package and --resolve are for --cfg; see python -m sweeper.train --help",
    "--cfg=jobs": "invalid choice: 'jobs'",
    "--config-path=elsewhere": "--config-path isn't for this command; --config-dir adds groups",
    "optimizer=glob(*)": "several values are a sweep; add -m",
}


@pytest.mark.parametrize("override", BAD)
def test_a_command_line_that_asks_for_no_runs_is_refused(override, refusal):
    assert BAD[override] in refusal("dataset=digits", override)


def test_a_sweeps_configuration_is_shown_for_one_run_only(refusal):
    words = "--cfg shows one run's configuration; leave out -m; see python -m sweeper.train --help"
    assert refusal("-m", "experiment=grid", "--cfg", "job") == words


def test_a_launcher_of_no_process_is_refused(refusal):
    line = refusal("-m", "dataset=digits", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0")
    assert "must be the number of parallel runs" in line


def test_a_config_folder_that_is_not_there_is_named(refusal):
    assert refusal("--config-dir", "nowhere", "optimizer=lion") == "--config-dir nowhere: there is no such folder"


def test_a_file_is_no_config_folder(call, tmp_path):
    (tmp_path / "lion.yaml").write_text("lr: 0.1\n")
    code, _, err = call("--config-dir", "lion.yaml", "optimizer=lion")
    assert code == 2 and err.startswith(
        "error: --config-dir lion.yaml: is a file; name the folder that holds optimizer/"
    )


def test_the_order_of_overrides_makes_no_other_run():
    overrides = ["optimizer=lion", "seed=3", "noise=symmetric", "noise.rate=0.3", "epochs=7"]
    forward, backward = compose_grid(overrides), compose_grid(overrides[::-1])
    assert forward.cells[0].directory == backward.cells[0].directory


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


def test_a_cell_asked_for_twice_is_one_run():
    assert len(compose_grid(["-m", "dataset=digits", "seed=1,1,01"]).cells) == 1


def test_a_user_adds_groups_by_a_folder(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n")
    config = compose_grid(["--config-dir", str(tmp_path), "optimizer=mine"]).cells[0].config
    assert (config["optimizer"]["name"], config["optimizer"]["lr"]) == ("mine", 0.3)
    with pytest.raises(BadInput, match="did you mean 'mine'"):
        compose_grid(["--config-dir", str(tmp_path), "optimizer=mien"])


@pytest.mark.parametrize("name", ["con.v2", "😀", "x" * 200, "a b"])
def test_a_users_own_choice_of_any_name_stays_below_outputs(tmp_path, name):
    folder = tmp_path / "conf" / "optimizer"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    grid = compose_grid(["--config-dir", str(tmp_path / "conf"), "dataset=digits", f"optimizer='{name}'"])
    (cell,) = grid.cells
    assert cell.directory.parent.parent.name == "outputs" and cell.directory.name.isascii()


def test_an_option_that_the_default_optimizer_lacks_is_given_to_several():
    cells = compose_grid(["-m", "dataset=digits", "optimizer=adam,adamw", "optimizer.amsgrad=true"]).cells
    assert [cell.config["optimizer"]["amsgrad"] for cell in cells] == [True, True]
