"""The command that makes a run again gives that run: the same identity, through the real composition."""

import json
import shlex
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, merged
from forked import run_forked
from made_runs import make_config, make_run, name_as_configured

from sweeper.config.grid import compose_grid
from sweeper.report.provenance import read_words, repeat_words, shown_command
from sweeper.runs.identity import run_hash, run_name, with_relative_paths
from sweeper.runs.results import read_results
from sweeper.runs.rows import read_row


def repeat_command(config, overrides):
    return shlex.join(repeat_words(config, overrides))


def composed(command):
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "sweeper.train"]
    (cell,) = compose_grid(words[3:]).cells
    return cell.config


@pytest.mark.parametrize(
    "words",
    [
        ["dataset=digits", "optimizer=lion", "seed=3"],
        ["dataset=digits", "optimizer=adam", "optimizer.betas=[0.8,0.99]", "noise=symmetric", "noise.rate=0.3"],
        [
            "dataset=digits",
            r"tag='it\'s; $(a) {b}'",
            "optimizer=sgd",
            "optimizer.nesterov=false",
            "dataset.train_limit=10",
        ],
        ["dataset=digits", "model=mlp", "schedule=step", "epochs=7", "lr_factor=0.1", "divergence_loss=5.0"],
        ["dataset=hub", "dataset.name=ylecun/mnist", "optimizer=sgd"],
    ],
)
def test_every_value_written_out_is_the_same_run(words):
    config = compose_grid(words).cells[0].config
    again = composed(repeat_command(config, None))
    assert run_hash(again) == run_hash(config)


def test_where_and_how_it_was_trained_is_repeated_but_for_the_place():
    words = ["experiment=grid", "dataset=digits", "optimizer=sgd", "seed=2", "outputs=/home/me/runs", "rerun=true"]
    config = compose_grid([*words[:4], "--multirun"]).cells[0].config
    command = repeat_command(config, [*words, "device=cpu", "device.threads=1", "tracking=tensorboard"])
    assert command.endswith(" device=cpu device.threads=1 tracking=tensorboard")
    assert "/home/me" not in command and "rerun" not in command and "experiment" not in command
    assert run_name(composed(command)) == run_name(config)


@pytest.mark.parametrize(
    "words",
    [
        ["+optimizer.foreach=false", "+model.extra={a:1}"],
        ["~optimizer.momentum", "device.precision=bf16"],
        ["tag=1e5", "dataset.train_limit=7", "target_accuracy=0.5"],
        ["tag='true'", "optimizer.lr=1e-8"],
        ["optimizer=any", "optimizer.name=AdEMAMix", "+optimizer.alpha=8", "optimizer.lr=0.01"],
    ],
)
def test_options_that_were_added_or_taken_away_are_again(words):
    chosen = [] if "optimizer=any" in words else ["optimizer=sgd"]
    config = compose_grid(merged("dataset=digits", *chosen, *words)).cells[0].config
    again = composed(repeat_command(config, ["dataset=digits", *words]))
    assert run_name(again) == run_name(config) and again["target_accuracy"] == config["target_accuracy"]


def recorded() -> dict[tuple[str, ...], Path]:
    """A run for each form of command among the records in the repository."""
    found: dict[tuple[str, ...], Path] = {}
    for folder in ("docs/study", "docs/reproduction", "tests/golden"):
        for record in sorted((REPOSITORY / folder).rglob("run.json")):
            config = json.loads(record.read_text())["config"]
            chosen = (config[group]["name"] for group in ("dataset", "model", "optimizer", "schedule", "noise"))
            found.setdefault((folder, *chosen), record.parent)
    return found


@pytest.mark.parametrize("directory", recorded().values(), ids=lambda path: path.name)
def test_a_record_in_the_repository_is_made_again_under_its_name(directory):
    """Though defaults and presets have changed since."""
    command = shlex.join(read_words(read_row(str(directory), "a")))
    assert run_name(composed(command)) == f"{directory.parent.name}/{directory.name}"


def test_of_a_data_set_the_place_is_said_where_it_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = compose_grid(["dataset=digits", "dataset.root=here"]).cells[0].config
    assert "dataset.root=here" in repeat_command(config, ["dataset.root=there"])
    assert "dataset.root" not in repeat_command(config, ["dataset=digits"])
    assert "dataset.root=here" in repeat_command(config, None)


def test_a_run_on_a_cpu_is_repeated_with_the_threads_that_its_bits_depend_on(tmp_path):
    """A run of a sweep had some of the cores; the command alone would take all."""

    def command(environment):
        return shown_command(read_row(str(make_run(tmp_path, environment=environment)), "")).split()

    assert command({"device": "cpu", "threads": 1})[-1] == "device.threads=1"
    assert not any("threads" in word for word in command({"device": "cuda", "threads": 1}))
    for typed in ("3", "4", "null"):  # a run that goes on keeps those it began with
        words = command({"device": "cpu", "threads": 3, "overrides": ["dataset=digits", f"device.threads={typed}"]})
        assert [word for word in words if "threads" in word] == ["device.threads=3"]


def test_a_run_is_repeated_on_the_kind_of_device_that_it_had(tmp_path):
    """The page's reader may have another one, by which `auto` would train another run under the same name."""

    def devices(used, *typed):
        environment = {"device": used, "threads": 1, "overrides": ["dataset=digits", *typed]}
        words = shown_command(read_row(str(make_run(tmp_path, environment=environment)), "")).split()
        assert composed(shlex.join(words))["device"]["kind"] == used
        return [word for word in words if word.startswith("device") and "threads" not in word]

    for used in ("cpu", "cuda", "mps"):
        for typed in ([], ["device=auto"], [f"device={used}"], ["device.kind=auto"], ["device=mps", "device.kind=cpu"]):
            assert devices(used, *typed) == [f"device={used}"]
    assert devices("cpu", "device=cpu", "device.deterministic=true") == ["device.deterministic=true", "device=cpu"]


def test_the_choice_of_a_device_of_ones_own_stays(tmp_path):
    environment = {"device": "cpu", "threads": 1, "overrides": ["dataset=digits", "device=mine"]}
    command = shown_command(read_row(str(make_run(tmp_path, environment=environment)), ""))
    assert command.split()[-3:] == ["device=mine", "device.kind=cpu", "device.threads=1"]


@pytest.mark.slow
def test_the_command_of_the_page_is_answered_from_disk_where_it_was_trained(tmp_path):
    asked = (*(word for word in TINY if not word.startswith("device")), "model=mlp", "epochs=1")
    assert run_forked("train", *asked, cwd=tmp_path).returncode == 0
    (record,) = tmp_path.glob("outputs/*/*/run.json")
    used = json.loads(record.read_text())["environment"]["device"]
    words = shlex.split(shown_command(read_row(str(record.parent), "")))
    assert f"device={used}" in words
    again = run_forked("train", *words[3:], cwd=tmp_path)
    assert again.returncode == 0 and "completed already" in again.stdout and "made with" not in again.stdout
    assert [*tmp_path.glob("outputs/*/*/run.json")] == [record]


def test_a_data_set_that_lies_elsewhere_by_now_is_looked_for_in_its_own_place():
    """As for a study that was published from another machine."""
    (directory, *_) = sorted((REPOSITORY / "docs" / "study" / "cifar10" / "runs").glob("*/*/"))
    record = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    assert record["config"]["dataset"]["root"] is not None
    command = shlex.join(read_words(read_row(str(directory), "")))
    assert "dataset=cifar10" in command and "dataset.root" not in command


def test_a_shell_takes_no_word_of_it_for_its_own():
    command = repeat_command(make_config(tag="$(rm -rf ~)"), ["tag='$(rm -rf ~)'"])
    assert "tag='$(rm -rf ~)'" in shlex.split(command)


def test_of_a_label_file_the_path_is_said_as_seen_from_here(tmp_path, monkeypatch):
    """And not its content's hash, which is no option."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.txt").write_text("1\n")
    config = compose_grid(["noise=human", "noise.file=labels.txt", "optimizer=sgd", "seed=3"]).cells[0].config
    path = make_run(Path("outputs"))
    record = json.loads((path / "run.json").read_text())
    record["config"] = with_relative_paths(config, path)
    record["environment"].pop("overrides", None)
    (path / "run.json").write_text(json.dumps(record))
    name_as_configured(path)
    (run,) = read_results(["outputs"]).runs
    command = shlex.join(read_words(run))
    assert "noise.file=labels.txt" in command and "digest" not in command
    assert run_hash(composed(command)) == run_hash(config)


@pytest.mark.parametrize(
    "word",
    [
        "optimizer._target_=os.system",
        "+model={_target_:os.system}",
        "++schedule.a={'_target_':os.system}",
        "dataset.loader=os.system",
        "dataset={loader: os.system}",
        "--config-dir=/tmp/theirs",
        "-m",
        "hydra.callbacks.a={b:c}",
        "+hydra.job.env_set={PYTHONPATH:/tmp}",
        "hydra/launcher=slurm",
        "tag=${oc.env:HOME}",
        "tag=a\nrm -rf ~",
        "tag=\x1b[2J",
    ],
)
def test_a_command_of_somebody_elses_record_calls_nothing_of_theirs(word):
    assert repeat_command(make_config(), ["dataset=digits", word]) == ""
    assert "/etc" not in repeat_command(make_config(), ["dataset=digits", "++outputs=/etc"])


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer__x": {"_target_": "os.system"}},
        {"optimizer__x": "${oc.env:HOME}"},
        {"--config-dir": "/tmp/theirs"},
        {"hydra.callbacks.x": {"a": "b"}},
        {"tag": "a\nb"},
    ],
)
def test_values_written_out_call_nothing_either(change):
    assert repeat_command(make_config(), None) != ""
    assert repeat_command(make_config(**change), None) == ""


def test_the_record_is_read_and_may_be_gone(tmp_path):
    path = make_run(tmp_path)
    (run,) = read_results([tmp_path]).runs
    assert "seed=1" in shlex.join(read_words(run))
    (path / "run.json").unlink()
    assert read_words(run) == []
