"""The documented commands of pip and uv that can be carried out without installing anything: `make commands`."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from build_context import lay_context
from conftest import REPOSITORY
from documented_commands import INSTALLED, PAGES, read_commands, treatment

import sweeper

pytestmark = pytest.mark.commands
COMMANDS = sorted({c for page in PAGES for c in read_commands(page) if treatment(c)[1] == INSTALLED})
OF_A_FILE = "pip install --dry-run -r requirements.txt"
OF_UV = [command for command in COMMANDS if command.startswith("uv ")]
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def run(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index answers."""
    words = ("--dry-run", "--ignore-installed", "--no-deps", "--retries=0", "--timeout=10", "hatchling")
    done = run(*PIP, *words, cwd=tmp_path_factory.mktemp("index"))
    if done.returncode:
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = lay_context(tmp_path_factory.mktemp("copy") / "sweeper")
    shutil.copy(REPOSITORY / "uv.lock", folder)
    return folder


@pytest.fixture(scope="module")
def uv(index, tmp_path_factory):
    """The environment variables with which `uv` is found."""
    folder = tmp_path_factory.mktemp("uv")
    here = {"UV_CACHE_DIR": str(folder / "cache")}
    if shutil.which("uv"):
        return here
    done = run(*PIP, "--target", folder, "uv", cwd=folder)
    if done.returncode:
        pytest.skip(f"no uv can be installed: {done.stderr.strip().splitlines()[-1]}")
    return here | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {*OF_UV, OF_A_FILE}))
def test_pip_finds_all_that_it_would_install(index, copy, tmp_path, command):
    """The package by its name is this one: a copy of it takes the name's place."""
    *_, what = shlex.split(command)
    name, extras = re.fullmatch(r"([\w.-]+?)(?:\[(.*)\])?", what).groups()
    assert name in (".", "optimizer-sweeper")
    done = run(*PIP, "--dry-run", "--report", "report.json", what.replace(name, str(copy), 1), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "does not provide the extra" not in done.stderr  # a warning of pip's, no error
    report = json.loads((tmp_path / "report.json").read_text())
    (own,) = [found for found in report["install"] if found["metadata"]["name"] == "optimizer-sweeper"]
    assert own["metadata"]["version"] == sweeper.__version__
    assert own.get("requested_extras", []) == (extras.split(",") if extras else [])


@pytest.mark.parametrize("command", OF_UV)
def test_uv_finds_its_lock_file_as_documented(uv, copy, command):
    done = run("bash", "-c", command, cwd=copy, **uv)
    assert done.returncode == 0 and re.search(r"Resolved \d+ packages", done.stderr), done.stderr


def test_pip_finds_each_file_of_the_lock_file_by_its_hash(uv, copy):
    """Where the locked torch is installed, for pip would download it to compare the hash."""
    (export,) = [command for command in OF_UV if command.startswith("uv export ")]
    done = run("bash", "-c", export, cwd=copy, **uv)
    assert done.returncode == 0, done.stderr
    locked = re.findall(r"^(torch\w*)==([^\s;]+)", (copy / "requirements.txt").read_text(), re.MULTILINE)
    others = [f"{name} {wanted}" for name, wanted in locked if version(name).partition("+")[0] != wanted]
    if others:
        pytest.skip(f"pip would download gigabytes: {', '.join(others)} of uv.lock isn't what is installed")
    done = run(*PIP, *shlex.split(OF_A_FILE)[2:], cwd=copy)
    assert done.returncode == 0, done.stderr
    assert len(locked) == 2 and "--hash=sha256:" in (copy / "requirements.txt").read_text()
