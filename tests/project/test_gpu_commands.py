"""The documented commands that need an NVIDIA GPU, made short: `make test-cuda`."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from documented_commands import GPU, PAGES, read_commands, treatment

pytestmark = [pytest.mark.cuda, pytest.mark.slow]
COMMANDS = sorted({c for page in PAGES for c in read_commands(page) if treatment(c) == ("carried out", GPU)})
SMALL = ("dataset=digits", "model=mlp")
SHORT = {  # what is added to a command in which the pattern is found
    "newton_schulz": ("--seconds", "5"),
    "benchmarks.tilings": ("--kernel", "statistics"),
    "benchmarks.batch_norm": ("--channels", "64", "--no-compile"),
    "--only auto": ("--budget", "60", *SMALL),
    "--only lanes,auto": ("--lanes", "1,2", "--budget", "90", *SMALL),
    "--only gpus": ("--gpus", "1"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_well_and_prints_its_figures(tmp_path, command):
    words = shlex.split(command)[1:]
    words += next((added for pattern, added in SHORT.items() if re.search(pattern, command)), ())
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert len(re.findall(r"\d+\.\d+", done.stdout)) >= 2, done.stdout + done.stderr
    if re.search("--only (lanes,)?auto", command):
        assert "at a time for 15 runs" in done.stdout
