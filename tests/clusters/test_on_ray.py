"""A sweep on a real Ray cluster of two nodes on this machine leaves the tables of a plain local one."""

import contextlib
import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import merged, run_module
from documented_commands import DOCS, PAGES, RAY, read_commands, treatment
from documented_pages import lay_for_all
from small_commands import made_small

pytest.importorskip("ray")
pytest.importorskip("hydra_plugins.hydra_ray_launcher")

pytestmark = pytest.mark.cluster

TINY = ("dataset=digits", "model=mlp", "dataset.train_limit=200", "epochs=2", "device=cpu", "device.threads=1")
LONG = (*TINY[:2], "dataset.train_limit=1000", "epochs=40", *TINY[4:], "checkpoint_every=1", "save_model=false")
RUNS = ("-m", "optimizer=sgd,lion", "seed=1,2")
DOCUMENTED = sorted({c for page in PAGES for c in read_commands(page) if treatment(c)[1] == RAY})
# What is of a machine and a moment, not of a result.
PASSING = {"train_seconds", "images_per_second", "peak_memory_bytes", "shared_device", "run"}


@contextlib.contextmanager
def node(*options: str) -> Iterator[subprocess.Popen]:
    """A Ray node in a process group of its own, killed at the end."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=2", *options]
    process = subprocess.Popen(
        command,
        start_new_session=True,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a node with a GPU, which Ray believes; the runs compute on the CPU."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with node("--head", f"--port={port}", "--num-gpus=1", "--include-dashboard=false"):
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                yield f"127.0.0.1:{port}"
                return
            time.sleep(0.2)
        raise AssertionError("Ray's head did not start")


def on_ray(address: str, *arguments: str) -> tuple[str, ...]:
    return (*arguments, "hydra/launcher=ray", f"hydra.launcher.ray.init.address={address}")


def table(outputs: Path) -> list[dict[str, str]]:
    with (outputs / "results.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k not in PASSING} for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: (row["optimizer"], row["seed"]))


def curves(outputs: Path) -> dict[str, list[tuple[str, ...]]]:
    found = {}
    for path in outputs.glob("*/*/metrics.csv"):
        with path.open() as file:
            rows = list(csv.DictReader(file))
        found[path.parent.name] = [tuple(v for k, v in row.items() if k not in PASSING) for row in rows]
    return found


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "sweeper.train", *merged(*arguments)]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoints(folder: Path, count: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while len(list(folder.glob("outputs/*/*/checkpoint.pt"))) < count:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def test_a_grid_gives_the_tables_of_a_local_sweep(address, tmp_path):
    done = run_module("train", *on_ray(address, *RUNS, *TINY), cwd=tmp_path, RAY_AUTH_MODE="disabled")
    assert done.returncode == 0, done.stderr
    local = run_module("train", *RUNS, *TINY, "outputs=local", cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    assert curves(tmp_path / "outputs") == curves(tmp_path / "local")
    assert table(tmp_path / "outputs") == table(tmp_path / "local") and len(table(tmp_path / "local")) == 4


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_node_lose_nothing(address, tmp_path):
    with node(f"--address={address}") as second:
        process = start(tmp_path, *on_ray(address, *RUNS, *LONG))
        wait_for_checkpoints(tmp_path, 2, process)
        workers = subprocess.run(["pgrep", "-f", "ray::_run_job"], capture_output=True, text=True, check=False).stdout
        assert workers.split(), "no run was at work"
        os.kill(int(workers.split()[0]), signal.SIGKILL)
        time.sleep(1)
        kill(second)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    local = run_module("train", *RUNS, *LONG, "outputs=local", cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    assert curves(tmp_path / "outputs") == curves(tmp_path / "local") and len(curves(tmp_path / "local")) == 4
    assert not list(tmp_path.glob("outputs/*/*/run.lock"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("hydra.launcher.ray.remote.num_gpus=3", "num_gpus=3: no node of the cluster has so many; the most is 1"),
        ("hydra.launcher.ray.remote.num_cpus=99", "num_cpus=99: no node of the cluster has so many; the most is 2"),
    ],
)
def test_what_no_node_has_is_said_before_anything_runs(address, tmp_path, option, words):
    done = run_module("train", *on_ray(address, *RUNS, *TINY), option, cwd=tmp_path, RAY_AUTH_MODE="disabled")
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/*/*/run.json"))


def test_an_address_that_does_not_answer_is_said_in_a_line(tmp_path):
    arguments = on_ray("127.0.0.1:1", *RUNS, *TINY)
    done = run_module("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "error: hydra.launcher.ray.init.address=127.0.0.1:1: no Ray cluster answers (" in done.stderr
    assert not list(tmp_path.glob("outputs/*/*/run.json"))


@pytest.mark.slow
@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_command(address, tmp_path, command):
    """By a Ray of its own where it names no address."""
    environment = lay_for_all(tmp_path, DOCS / "scaling.md") | {"RAY_AUTH_MODE": "disabled"}
    words = made_small(re.sub(r"(?<=init\.address=)\S+", address, command))
    done = run_module("train", *words[1:], cwd=tmp_path, **environment)
    assert done.returncode == 0 and "2 runs: 2 completed" in done.stdout, done.stdout + done.stderr
