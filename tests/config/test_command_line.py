"""What is typed is read once: every process gets the same time, and a text stays the text that was typed."""

import time

import pytest

from sweeper.config.command_line import as_typed, at_one_time, read_command_line
from sweeper.config.grid import compose_grid
from sweeper.config.overrides import parse_overrides
from sweeper.system.errors import BadInput

TYPED = ["1e5", "007", "NA", "none", "true", "1_000", "0x10", "1:30", "nan", "-5", "+5", "1.", "No", "2024-01-01"]


@pytest.mark.parametrize("typed", TYPED)
def test_a_text_is_what_was_typed(typed):
    for form in (f"tag={typed}", f"++tag={typed}", f"tag='{typed}'", f"dataset.root={typed}", f"optimizer={typed}"):
        (override,) = parse_overrides([as_typed(form)])
        assert str(override.value()) == typed


def test_a_sweep_of_texts_is_of_what_was_typed():
    grid = compose_grid(["-m", "dataset=digits", f"tag={','.join(TYPED)}"])
    assert [cell.config["tag"] for cell in grid.cells] == TYPED


def test_null_is_no_text_unless_it_is_in_quotes():
    tags = [compose_grid(["dataset=digits", word]).cells[0].config["tag"] for word in ("tag=null", "tag='null'")]
    assert tags == [None, "null"]


def test_other_options_stay_as_they_were_typed():
    for word in ("epochs=1e1", "seed=1,2", "optimizer.lr=1e-3", "tag=a,b", "tag=[1,2]", "tag", "device.threads=null"):
        assert as_typed(word) == word
    assert as_typed("tag= 1e5 ,x") == "tag='1e5',x"
    assert as_typed("outputs=2024") == "outputs='2024'"


@pytest.mark.parametrize("name", ["1e5", "true"])
def test_a_choice_is_its_files_name(tmp_path, name):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / f"{name}.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    grid = compose_grid(["-m", "--config-dir", str(tmp_path), "dataset=digits", f"optimizer={name},sgd"])
    assert [cell.config["optimizer"]["name"] for cell in grid.cells] == [name, "sgd"]


@pytest.mark.parametrize(
    ("yaml", "value"),
    [("tag: 007", "7"), ("tag: 1e5", "100000.0"), ("tag: yes", "True"), ("outputs: 2024", "2024")],
)
def test_a_text_that_yaml_reads_as_something_else_is_refused(tmp_path, refusal, yaml, value):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{yaml}\n")
    name = yaml.partition(":")[0]
    line = refusal("--config-dir", str(tmp_path), "dataset=digits", "experiment=mine")
    assert line.startswith(f"{name}={value}: wasn't read as a text; put it in quotes, in YAML {name}: '007'")


def test_a_text_in_quotes_is_taken_from_yaml_in_a_sweep_too(tmp_path):
    (tmp_path / "experiment").mkdir()
    params = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      tag: \"'007','1e5'\"\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\noutputs: '007'\n{params}")
    grid = compose_grid(["--config-dir", str(tmp_path), "dataset=digits", "experiment=mine"])
    assert [cell.config["tag"] for cell in grid.cells] == ["007", "1e5"] and str(grid.outputs) == "007"


def test_another_options_value_becomes_a_text():
    (cell,) = compose_grid(["dataset=digits", "seed=7", "tag=${seed}"]).cells
    assert cell.config["tag"] == "7"


def test_the_time_is_that_at_which_the_command_line_is_read():
    then = time.gmtime(0)
    assert at_one_time("outputs=runs/${now:%Y-%m-%d_%H-%M-%S}", then) == "outputs=runs/1970-01-01_00-00-00"
    assert at_one_time("tag='at ${ now:%H:%M }, ${seed}'", then) == "tag='at 00:00, ${seed}'"
    assert at_one_time(r"tag=\${now:%H}", then) == r"tag=\${now:%H}"
    (word,) = read_command_line(["tag=${now:%Y}"]).overrides
    assert word in (f"tag='{time.localtime().tm_year}'", f"tag='{time.localtime().tm_year - 1}'")


def test_a_time_in_yaml_is_refused(tmp_path, refusal):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\noutputs: runs/${now:%Y}\n")
    line = refusal("--config-dir", str(tmp_path), "dataset=digits", "experiment=mine")
    assert line.startswith("outputs: runs/${now:%Y}: each process would resolve the time differently; take it out")


def test_flags_and_overrides_come_in_any_order():
    asked = read_command_line(["seed=1,2", "--arm", "a: seed=1", "-m", "epochs=3", "--arm=b: seed=2"])
    assert asked.multirun and asked.overrides == ["seed=1,2", "epochs=3"] and asked.arm == ["a: seed=1", "b: seed=2"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--arms", "a: seed=1"],
            "unrecognized arguments: --arms (did you mean --arm?); see python -m sweeper.train --help",
        ),
        (["--optimizer", "adam", "-m"], "--optimizer adam: options have no dashes; write optimizer=adam"),
        (["--batch-size=64"], "--batch-size=64: options have no dashes; write batch_size=64"),
        (["seed=1", "--lr", "0.1", "epochs=3"], "--lr 0.1: options have no dashes; write optimizer.lr=0.1"),
        (["--seeds", "1", "2"], "--seeds 1 2: options have no dashes; write -m seed=1,2"),
        (["--arm"], "--arm: nothing is given; give a value, or leave it out"),
        (["--config-path", "x"], "--config-path isn't for this command; --config-dir adds groups of yours"),
        (["--config-dir", "a", "--config-dir=b"], "--config-dir is given twice: a and b; give one"),
        (["-cd", "a", "-m", "-cd", "b"], "--config-dir is given twice: a and b; give one"),
        (["-m", "--cfg", "job"], "--cfg shows one run's configuration; leave out -m"),
        (
            ["experiment=grid", "seed=1,2", "--info", "config"],
            "seed=1,2: --info shows one run's configuration",
        ),
        (["--resume"], "--resume: there is no such option: a run goes on by itself; give the same command again"),
        (["--config", "conf/mine.yaml"], "--config: presets are experiment=NAME, and --config-dir DIR adds a folder"),
        (["--resolve"], "--package and --resolve are for --cfg"),
    ],
)
def test_what_is_no_flag_is_refused_in_a_line(words, told):
    with pytest.raises(BadInput) as refused:
        read_command_line(words)
    assert str(refused.value).startswith(told) and "\n" not in str(refused.value)
