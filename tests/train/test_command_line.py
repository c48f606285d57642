"""What the command line tells about itself."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, merged, run_module

import sweeper

GROUPS = ("device", "dataset", "model", "optimizer", "schedule", "noise", "tracking", "experiment", "arms")


@pytest.fixture(scope="module")
def help_text(tmp_path_factory):
    done = run_module("train", "--help", cwd=tmp_path_factory.mktemp("help"))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_help_lists_every_group_with_its_choices_and_six_examples(help_text):
    for group in GROUPS:
        assert re.search(rf"^{group}: \w+", help_text, re.MULTILINE), group
    (optimizers,) = re.findall(r"^optimizer: (.*)", help_text, re.MULTILINE)
    folder = REPOSITORY / "conf" / "optimizer"
    assert optimizers.split(", ") == sorted(path.stem for path in folder.glob("*.yaml"))
    assert len(re.findall(r"^  python -m sweeper\.train ", help_text, re.MULTILINE)) == 6


def test_help_names_every_option_of_the_configuration(help_text):
    from sweeper.config.grid import compose_grid

    config = compose_grid(["dataset=digits"]).cells[0].config
    plain = {name for name, value in config.items() if not isinstance(value, dict)}
    assert plain <= set(help_text.split())


def test_the_examples_of_the_help_compose(help_text):
    from sweeper.config.grid import compose_grid

    for line in re.findall(r"^  python -m sweeper\.train (.*)$", help_text, re.MULTILINE):
        assert compose_grid(shlex.split(line)).cells


def test_version(call):
    assert call("--version") == (0, f"sweeper {sweeper.__version__}\n", "")


def test_cfg_shows_all_values_and_trains_nothing(tmp_path):
    """Of a preset that is a sweep too."""
    done = run_module("train", "optimizer=lion", "experiment=grid", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0 and list(tmp_path.iterdir()) == []
    for line in ("_target_: sweeper.optimizers.Lion", "kind: auto", "seed: 1", "rate: 0.0"):
        assert line in done.stdout


def test_the_shell_completes_groups_and_choices(tmp_path):
    """Through the script that bash would load."""
    script = (
        'eval "$(sweeper-train --shell-completion install=bash)"\n'
        'COMP_LINE="sweeper-train optimizer=ad"; COMP_POINT=${#COMP_LINE}; COMP_CWORD=1\n'
        'hydra_bash_completion; echo "${COMPREPLY[@]}"\n'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [f"optimizer={name}" for name in ("adafactor", "adagrad", "adam", "adamw", "adan")]


@pytest.mark.parametrize("asked", ["", "install", "install=bsh", "install=bash query=bash", "optimizer=adam"])
def test_completion_for_no_shell_is_refused(refusal, asked):
    told = refusal("--shell-completion", *asked.split())
    assert "write --shell-completion install=SHELL; the shells are bash, fish, zsh" in told


def run_into(stdout: int, module: str, *arguments: str, cwd: Path, closed: bool = False) -> tuple[int, str]:
    """The exit code and stderr of a command with this stdout, or none, and buffered as usual."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = ["bash", "-c", 'exec "$@" >&-', "bash"] if closed else []
    command += [sys.executable, "-m", module, *merged(*arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


def run_unheard(module: str, *arguments: str, cwd: Path) -> tuple[int, str]:
    """The same of a command whose stdout nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return run_into(writing, module, *arguments, cwd=cwd)
    finally:
        os.close(writing)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("sweeper", []),
        ("sweeper.train", ["--help"]),
        ("sweeper.train", ["--cfg", "job"]),
        ("sweeper.plan", ["--help"]),
        ("sweeper.doctor", ["--help"]),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path, module, arguments):
    assert run_unheard(module, *arguments, cwd=tmp_path) == (0, "")
    assert run_into(subprocess.DEVNULL, module, *arguments, cwd=tmp_path, closed=True) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize(
    ("module", "arguments"), [("sweeper", []), ("sweeper.train", ["--help"]), ("sweeper.doctor", ["--help"])]
)
def test_words_that_have_no_room_are_told_in_a_line(tmp_path, module, arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        code, error = run_into(full.fileno(), module, *arguments, cwd=tmp_path)
    assert (code, error) == (2, "error: standard output: No space left on device\n")


@pytest.mark.slow
def test_a_sweep_that_nobody_listens_to_is_carried_out(tmp_path):
    begun = run_module("train", "-m", "optimizer=adam,sgd", *TINY, "hydra/launcher=basic", cwd=tmp_path)
    assert begun.returncode == 0
    more = ("-m", "optimizer=adam,sgd,lion", *TINY, "hydra/launcher=basic")
    code, error = run_unheard("sweeper.train", *more, cwd=tmp_path)
    assert code == 0 and "Broken pipe" not in error
    assert "lion" in (tmp_path / "outputs" / "summary.csv").read_text()
    for module, arguments in (("aggregate", []), ("report", []), ("plan", more), ("watch", ["--once"])):
        assert run_unheard(f"sweeper.{module}", *arguments, cwd=tmp_path) == (0, ""), module
