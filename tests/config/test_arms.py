"""Arms and presets that are joined: each run once, whole seeds first, and a line for what can't be joined."""

import json
import re

import pytest
from forked_children import run_all_forked

from sweeper.config.arms import _words
from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput

SMALL = ("-m", "dataset=digits", "model=mlp", "epochs=1", "device=cpu")
SGD, LION = ("--arm", "sgd: optimizer=sgd"), ("--arm", "lion: optimizer=lion optimizer.lr=2e-4,1e-4")


def settings(grid) -> list[tuple]:
    return [
        (cell.config["seed"], cell.config["optimizer"]["name"], cell.config["optimizer"]["lr"]) for cell in grid.cells
    ]


def test_arms_are_crossed_with_the_other_axes_and_whole_seeds_come_first():
    grid = compose_grid([*SMALL, *SGD, *LION, "seed=1,2"])
    one = [("sgd", 0.1), ("lion", 2e-4), ("lion", 1e-4)]
    assert settings(grid) == [(seed, *setting) for seed in (1, 2) for setting in one]
    assert {name: len(directories) for name, directories in grid.arms.items()} == {"sgd": 2, "lion": 4}
    assert [cell.number for cell in grid.cells] == list(range(6)) and len(grid.jobs) == 6


def test_an_arm_is_the_run_that_its_overrides_alone_would_be():
    (alone,) = compose_grid([*SMALL[1:], "optimizer=lion", "optimizer.lr=1e-4", "seed=2"]).cells
    grid = compose_grid([*SMALL, *SGD, *LION, "seed=1,2"])
    assert alone.directory == grid.cells[-1].directory and alone.config == grid.cells[-1].config


def test_an_arm_overrides_the_other_words_and_equal_runs_are_one():
    grid = compose_grid([*SMALL, "optimizer=adam", "seed=1,2", *SGD, "--arm", "first: optimizer=sgd seed=1"])
    assert settings(grid) == [(1, "sgd", 0.1), (2, "sgd", 0.1)]
    assert grid.arms["first"] == [grid.cells[0].directory]


def test_arms_of_a_file(tmp_path):
    (tmp_path / "arms").mkdir()
    (tmp_path / "arms" / "mine.yaml").write_text(
        "# two\nplain: optimizer=sgd optimizer.lr=0.05\n007: [optimizer=adam, 'optimizer.betas=[0.8, 0.99]']\n"
    )
    grid = compose_grid(["--config-dir", str(tmp_path), *SMALL, "arms=mine", *SGD])
    assert list(grid.arms) == ["sgd", "plain", "007"]
    assert grid.cells[2].config["optimizer"]["betas"] == [0.8, 0.99]
    assert list(compose_grid([*SMALL, "+arms=momentum"]).arms) == ["plain", "momentum", "nesterov"]  # the package's own
    with pytest.raises(BadInput, match=r"^arms=mien: there is no file arms/mien.yaml; did you mean 'mine'"):
        compose_grid(["--config-dir", str(tmp_path), *SMALL, "arms=mien"])


BAD_FILES = {
    "[optimizer=sgd]": "has no arms; write lines NAME: OVERRIDES",
    "": "has no arms",
    "a: {optimizer: sgd}": "arm 'a': must be overrides in a line or a list",
    "a:": "arm 'a': the arm is empty",
    "a: optimizer=sgd\na: optimizer=lion": "arm 'a': two arms have this name",
    "a: [unclosed": "can't be read",
    "'a: b': optimizer=sgd": "'a: b' can't be the name of an arm",
    '"a\\nb": optimizer=sgd': "can't be the name of an arm",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_file_without_arms_is_refused_in_a_line(tmp_path, text):
    (tmp_path / "arms").mkdir()
    (tmp_path / "arms" / "mine.yaml").write_text(text)
    with pytest.raises(BadInput) as refused:
        compose_grid(["--config-dir", str(tmp_path), *SMALL, "arms=mine"])
    assert BAD_FILES[text] in str(refused.value) and "\n" not in str(refused.value)


BAD_ARMS = {
    "optimizer=sgd seed=1": 'it has no name; write "sgd: optimizer=sgd seed=1"',
    "sgd optimizer=sgd": 'it has no name; write "sgd: optimizer=sgd"',
    "a optimizer=sgd": 'it has no name; write "a: optimizer=sgd"',
    "adam": 'it has no name; write "adam: optimizer=adam"',
    "lr=1": 'it has no name; write "NAME: OVERRIDES", e.g. ',
    ": optimizer=sgd": "it has no name",
    "sgd:": "the arm is empty",
    "sgd: optimizer=sgd 'seed=1": "a quote or a bracket isn't closed",
    "sgd: optimizer=sdg": "arm 'sgd': optimizer=sdg: there is no such optimizer; did you mean 'sgd'",
    "sgd: hydra/launcher=basic": "all arms share Hydra's own options",
    "lion: optimizer=lion": "arm 'lion': two arms have this name",
    "sgd: optimizer=sgd optimizer.momntum=1": "arm 'sgd': optimizer.momntum=1: there is no option 'optimizer.momntum'",
    "sgd: optimizer.lr=interval(1,2)": "arm 'sgd': optimizer.lr=interval(1,2): give the values one by one",
    "sgd: optimizer.lr=${nope}": "arm 'sgd': optimizer.lr=${nope}: ",
    "sgd: batch_size=-1": "arm 'sgd': batch_size=-1: must be an integer of at least 1",
    "sgd: momentum": "arm 'sgd': momentum: options are given as name=value",
    "sgd: optimizer=sgd optimizer=adam": "arm 'sgd': optimizer is given twice: sgd and adam",
}


@pytest.mark.parametrize("arm", BAD_ARMS)
def test_an_arm_that_is_none_is_refused_in_a_line(arm):
    with pytest.raises(BadInput) as refused:
        compose_grid([*SMALL, *LION, "--arm", arm])
    assert BAD_ARMS[arm] in str(refused.value) and "\n" not in str(refused.value)


def test_a_name_in_either_spelling_of_its_accents_is_one_name():
    one, two = (
        f"caf{accented}: optimizer={optimizer}" for accented, optimizer in (("\u00e9", "sgd"), ("e\u0301", "lion"))
    )
    with pytest.raises(BadInput, match=r"^arm 'caf\u00e9': two arms have this name"):
        compose_grid([*SMALL, "--arm", one, "--arm", two])
    assert list(compose_grid([*SMALL, *SGD, "--arm", two]).arms) == ["sgd", "caf\u00e9"]


def test_an_error_outside_of_the_arms_names_none():
    with pytest.raises(BadInput, match=r"^optimizer\.lrr=1: there is no option"):
        compose_grid([*SMALL, *SGD, *LION, "optimizer.lrr=1"])


def test_arms_need_a_sweep_and_a_search_takes_none():
    with pytest.raises(BadInput, match="arms are a sweep; add -m"):
        compose_grid([*SMALL[1:], *SGD])
    said = "a search is joined with nothing else; a grid of every arm is experiment=tune hydra.sweeper.extensions=0"
    with pytest.raises(BadInput, match=re.escape(said)):
        compose_grid(["-m", "experiment=search", "dataset=digits", *SGD])


def test_words_are_split_outside_of_quotes_and_brackets():
    text = "optimizer.betas=[0.9, 0.99] tag='a b'  seed=range(1, 3)"
    assert _words(text, "") == ["optimizer.betas=[0.9, 0.99]", "tag='a b'", "seed=range(1, 3)"]


def test_presets_of_a_list_are_joined():
    both = compose_grid(["-m", "experiment=quick,milestone", "dataset=digits"])
    apart = [compose_grid(["-m", f"experiment={name}", "dataset=digits"]) for name in ("quick", "milestone")]
    assert [cell.directory for cell in both.cells] == [cell.directory for grid in apart for cell in grid.cells]
    assert both.sweep and len(both.jobs) == 30 and "experiment=quick" in both.jobs[0]
    narrowed = compose_grid(["experiment=quick,milestone", "dataset=digits", "optimizer=lion", "seed=1", "-m"])
    assert [cell.config["epochs"] for cell in narrowed.cells] == [10, 50]


@pytest.mark.slow
def test_arms_are_trained_by_any_launcher_and_shown_by_name_also_from_disk(tmp_path):
    arms = ("--arm", "plain: optimizer=sgd", "--arm", "mine: optimizer=lion optimizer.lr=2e-4,1e-4")
    common = (*SMALL, "device.threads=1")
    alone = run_all_forked("train", *SMALL[1:], "device.threads=1", "optimizer=sgd", "seed=1", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    done = run_all_forked("train", *common, "hydra/launcher=joblib", *arms, "seed=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 runs, 1 done already" in done.stderr and "mine, lr 0.0002: completed, test " in done.stderr
    done = run_all_forked("train", *common, "hydra/launcher=packed", *arms, "seed=1,2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 runs, 3 done already" in done.stderr and "plain: outputs/digits-mlp/sgd-seed1-" in done.stdout
    assert "plain, seed 2: completed" in done.stderr and "mine, lr 0.0001, seed 2: completed" in done.stderr
    assert sorted(line.split()[0] for line in done.stdout.splitlines() if "± " in line and "(n = 2)" in line) == [
        "mine",
        "mine",
        "plain",
    ]
    records = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/run.json")]
    assert {record["status"] for record in records} == {"completed"} and len(records) == 6
    planned = run_all_forked("plan", *common, *arms, "seed=1,2", "--json", cwd=tmp_path)
    assert json.loads(planned.stdout)["done"] == 6
    renamed = run_all_forked("train", *common, "--arm", "base: optimizer=sgd", "seed=1,2", cwd=tmp_path)
    assert renamed.stdout.startswith("base: outputs/digits-mlp/sgd-seed1-")
    assert "There is one arm only: base with " in renamed.stdout
    watched = json.loads(run_all_forked("watch", "outputs", "--json", cwd=tmp_path).stdout)
    assert {run["arm"] for run in watched["runs"]} == {"base", "mine"}
