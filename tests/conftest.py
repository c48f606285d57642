"""The command line as a user has it, in processes of their own and, where only its words matter, in this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Two epochs on 300 small images: enough to tell runs apart, little enough for a test.
TINY = ("dataset=digits", "dataset.train_limit=300", "epochs=2", "device=cpu", "device.threads=1")


def run_module(module: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m sweeper.<module> …` in `cwd`, with its output as text; a PYTHONPATH goes before the present one."""
    if "PYTHONPATH" in environment and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", f"sweeper.{module}", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The same command line called in this process, in an empty folder: `call(*arguments) -> (code, out, err)`.

    For what ends before any training; signals and imports belong to the process.
    """
    from sweeper import train

    monkeypatch.chdir(tmp_path)

    def call_main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        code = train.main()
        return code, *capsys.readouterr()

    return call_main
