"""What the command line tells about itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_module

import sweeper

GROUPS = ("device", "dataset", "model", "optimizer", "schedule", "noise", "tracking", "experiment")


@pytest.fixture(scope="module")
def help_text(tmp_path_factory):
    done = run_module("train", "--help", cwd=tmp_path_factory.mktemp("help"))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_help_lists_every_group_with_its_choices_and_five_examples(help_text):
    for group in GROUPS:
        assert re.search(rf"^{group}: \w+", help_text, re.MULTILINE), group
    (optimizers,) = re.findall(r"^optimizer: (.*)", help_text, re.MULTILINE)
    folder = Path(__file__).parents[1] / "conf" / "optimizer"
    assert optimizers.split(", ") == sorted(path.stem for path in folder.glob("*.yaml"))
    assert len(re.findall(r"^  python -m sweeper\.train ", help_text, re.MULTILINE)) == 5


def test_help_names_every_option_of_the_configuration(help_text):
    from sweeper.compose import compose_grid

    config = compose_grid(["dataset=digits"]).cells[0].config
    plain = {name for name, value in config.items() if not isinstance(value, dict)}
    assert plain <= set(help_text.split())


def test_the_examples_of_the_help_compose(help_text):
    from sweeper.compose import compose_grid

    for line in re.findall(r"^  python -m sweeper\.train (.*)$", help_text, re.MULTILINE):
        assert compose_grid(line.split()).cells


def test_version(call):
    assert call("--version") == (0, f"sweeper {sweeper.__version__}\n", "")


def test_cfg_shows_all_values_and_trains_nothing(tmp_path):
    done = run_module("train", "optimizer=lion", "--cfg", "job", cwd=tmp_path)
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
