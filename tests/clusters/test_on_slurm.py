"""Sweeps by a real Slurm, a controller and three nodes on this machine: each leaves what a plain local sweep leaves."""

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, merged, run_module
from documented_commands import DOCS, PAGES, SLURM, read_commands, treatment
from documented_pages import lay_for_all
from small_commands import made_small, sbatch_made_small

from tests.clusters.slurm import Slurm, Unavailable

pytestmark = pytest.mark.cluster

GRID = (*TINY, "model=mlp", "optimizer=adam,sgd", "seed=1,2")
# Long enough to be stopped in the middle: some 20 s on one core.
LONG = ("dataset=digits", "model=cnn", "dataset.train_limit=600", "epochs=150", "device=cpu", "device.threads=1")
BY_SLURM = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1")
DOCUMENTED = sorted({c for page in PAGES for c in read_commands(page) if treatment(c)[1] == SLURM})
# Differ between two trainings of the same run.
MEASURED = {"train_seconds", "images_per_second", "peak_memory_bytes", "shared_device", "versions_differ"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.start()
    except Unavailable as reason:
        pytest.skip(f"no Slurm: {reason}")
    try:
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture
def queue(cluster, monkeypatch):
    """The cluster with an empty queue and both nodes idle, before and after a test."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    cluster.wait_for_nodes()
    yield cluster
    cluster.run("scancel", "--user=root")
    cluster.wait_for_nodes(60)


def start_sweep(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeper.train", "-m", *merged(*arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def epochs_done(outputs: Path) -> list[int]:
    """Of each run that has begun."""
    return [len(path.read_text().splitlines()) - 1 for path in sorted(outputs.glob("*/*/metrics.csv"))]


def logs(outputs: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(outputs.glob(".submitit/*/*.out")))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k not in MEASURED} for row in csv.DictReader(file)]


def results(outputs: Path) -> dict[str, list[object]]:
    """All that a sweep leaves, without what two trainings of the same run measure differently."""
    left: dict[str, list[object]] = {"results.csv": [read_table(outputs / "results.csv")]}
    left["summary.csv"] = [read_table(outputs / "summary.csv")]
    for directory in sorted(path.parent for path in outputs.glob("*/*/run.json")):
        weights = (directory / "model.safetensors").read_bytes()
        name = str(directory.relative_to(outputs))
        left[name] = [read_table(directory / "metrics.csv"), weights, sorted(os.listdir(directory))]
    return left


def plain(folder: Path, *arguments: str) -> dict[str, list[object]]:
    """What the same sweep leaves without Slurm."""
    folder.mkdir()
    done = run_module("train", "-m", *arguments, "hydra/launcher=basic", cwd=folder)
    assert done.returncode == 0, done.stderr
    return results(folder / "outputs")


def test_a_grid(queue, tmp_path):
    done = run_module("train", "-m", *GRID, *BY_SLURM, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *GRID)
    assert logs(tmp_path / "outputs").count("Job completed successfully") == 4
    again = run_module("train", "-m", *GRID, *BY_SLURM, cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("completed already") == 4
    assert logs(tmp_path / "outputs").count("Job completed successfully") == 4  # nothing was queued


def jobs(queue, state: str) -> list[str]:
    return queue.run("squeue", "--noheader", "--array", "--format=%i", f"--states={state}").split()


def wait_for_epochs(sweep: subprocess.Popen[str], outputs: Path, runs: int, epochs: int = 3) -> None:
    """Until so many runs are in the middle."""
    deadline = time.monotonic() + 90
    while len(epochs_done(outputs)) < runs or min(epochs_done(outputs)) < epochs:
        assert sweep.poll() is None, sweep.communicate()[0]
        assert time.monotonic() < deadline, f"after 90 s only {epochs_done(outputs)} epochs"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("warning", ["USR2", "TERM"])
def test_a_preempted_run_is_queued_again_and_goes_on(queue, tmp_path, warning):
    """SIGUSR2 is what Slurm sends before a time limit, SIGTERM what it may send before a preemption."""
    sweep = start_sweep(*LONG, "seed=1,2", *BY_SLURM, cwd=tmp_path)
    wait_for_epochs(sweep, tmp_path / "outputs", 2)
    preempted = jobs(queue, "RUNNING")[0]
    queue.run("scancel", f"--signal={warning}", preempted)
    told, _ = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, told
    log = logs(tmp_path / "outputs")
    assert log.count("interrupted after epoch") == 1  # the other run was left alone
    assert log.count(f"Requeued job {preempted}") == 1
    assert log.count("Job completed successfully") == 2
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *LONG, "seed=1,2")


@pytest.mark.slow
def test_a_run_past_its_time_limit_is_queued_again_and_goes_on(queue, tmp_path):
    """Slurm looks at limits twice a minute and counts in minutes, so this one warns from 10 s on."""
    limit = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=50")
    runs = (*LONG, "seed=1", "epochs=400")
    sweep = start_sweep(*runs, *BY_SLURM, *limit, cwd=tmp_path)
    told, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, told
    assert "is timed-out" in logs(tmp_path / "outputs").replace("this job ", "")
    assert "Requeued job" in logs(tmp_path / "outputs")
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *runs)


@pytest.mark.slow
def test_a_node_killed_in_the_middle(queue, tmp_path):
    """Slurm itself queues its job again; meanwhile the other node goes on."""
    runs = (*LONG, "epochs=300", "checkpoint_every=5", "seed=1,2")
    sweep = start_sweep(*runs, *BY_SLURM, "hydra.launcher.cpus_per_task=2", cwd=tmp_path)
    wait_for_epochs(sweep, tmp_path / "outputs", 2, epochs=10)
    assert sorted(queue.run("squeue", "--noheader", "--format=%N").split()) == ["node1", "node2"]
    queue.kill_node("node2")
    told, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, told
    queue.start_node("node2")
    queue.wait_for_nodes(60)
    assert logs(tmp_path / "outputs").count("going on from the checkpoint") == 1
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *runs)


@pytest.mark.slow
def test_scancel_of_one_run_and_of_all(queue, tmp_path):
    """A cancelled run is no one's any more: the others end, and the same command goes on."""
    command = (*LONG, "seed=1,2", *BY_SLURM)
    sweep = start_sweep(*command, cwd=tmp_path)
    wait_for_epochs(sweep, tmp_path / "outputs", 2)
    cancelled = jobs(queue, "RUNNING")[0]
    queue.run("scancel", cancelled)
    told, _ = sweep.communicate(timeout=180)
    assert sweep.returncode == 130, told
    assert "interrupted" in told
    assert "Requeued" not in logs(tmp_path / "outputs")
    assert jobs(queue, "all") == [] or cancelled not in jobs(queue, "PENDING,RUNNING")
    started = logs(tmp_path / "outputs").count("Starting with")
    again = run_module("train", "-m", *command, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert logs(tmp_path / "outputs").count("Starting with") == started + 1  # the finished run isn't queued
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *LONG, "seed=1,2")


@pytest.mark.slow
def test_a_stopped_sweep_leaves_the_queue(queue, tmp_path):
    """Ctrl-C: what runs writes its checkpoint, what waits is taken back, the same command goes on."""
    command = (*LONG, "epochs=100", "seed=1,2,3,4,5,6", *BY_SLURM, "hydra.launcher.array_parallelism=2")
    sweep = start_sweep(*command, cwd=tmp_path)
    wait_for_epochs(sweep, tmp_path / "outputs", 2)
    sweep.send_signal(2)
    told, _ = sweep.communicate(timeout=90)
    assert sweep.returncode == 130, told
    assert jobs(queue, "PENDING,RUNNING") == []
    assert len(epochs_done(tmp_path / "outputs")) < 6
    again = run_module("train", "-m", *command, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path / "outputs") == plain(tmp_path / "plain", *LONG, "epochs=100", "seed=1,2,3,4,5,6")


@pytest.mark.slow
def test_one_sweep_shared_by_packed_jobs(queue, tmp_path):
    """The example file: two jobs of the same sweep, one of them warned in the middle and queued again."""
    runs = merged(*LONG, "epochs=100", "optimizer=adam,sgd", "seed=1,2,3")
    outputs = tmp_path / "outputs"
    submit = ["sbatch", "--parsable", "--array=1-2", "--cpus-per-task=1", "--time=30"]
    submit += [f"--chdir={tmp_path}", f"--export=ALL,PYTHON={sys.executable}"]
    job = queue.run(*submit, REPOSITORY / "docs" / "slurm.sh", *runs).strip()
    deadline = time.monotonic() + 90
    while len(epochs_done(outputs)) < 2 or min(epochs_done(outputs)) < 3:
        assert time.monotonic() < deadline and jobs(queue, "PENDING,RUNNING"), "\n".join(
            log.read_text() for log in tmp_path.glob("slurm-*.log")
        )
        time.sleep(0.2)
    queue.run("scancel", "--signal=USR1", f"{job}_1")
    while jobs(queue, "PENDING,RUNNING,COMPLETING,CONFIGURING"):
        assert time.monotonic() < deadline + 120, jobs(queue, "all")
        time.sleep(0.5)
    told = [log.read_text() for log in sorted(tmp_path.glob("slurm-*.log"))]
    assert len(told) == 2
    assert "interrupted after epoch" in told[0]
    assert all("6 runs: 6 completed" in text for text in told), told
    done = re.findall(r": completed, test .*/(\S+)$", "".join(told), re.MULTILINE)
    assert sorted(done) == sorted(record.parent.name for record in outputs.glob("*/*/run.json"))  # each was done once
    assert results(outputs) == plain(tmp_path / "plain", *runs)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("partition=mian", "hydra.launcher.partition=mian: there is no such partition; did you mean 'main'?"),
        ("gpus_per_node=1", "hydra.launcher.gpus_per_node=1: no node of the default partition has more than 0"),
        ("timeout_min=61", "hydra.launcher.timeout_min=61: the default partition gives 60 at most"),
        ("cpus_per_task=9", "sbatch refuses --time=60 --cpus-per-task=9: allocation failure: Requested node"),
    ],
)
def test_what_the_cluster_lacks_is_told_before_anything_is_queued(queue, call, option, line):
    code, _, err = call("-m", *GRID, "hydra/launcher=slurm", f"hydra.launcher.{option}")
    assert code == 2
    assert err.splitlines()[-1].startswith("error: ") and line in err.splitlines()[-1]
    assert jobs(queue, "PENDING,RUNNING") == []
    assert not Path("outputs").exists()


def test_a_documented_request_is_tried_without_being_queued(queue):
    (command,) = [command for command in DOCUMENTED if "--test-only" in command]
    queue.run(*command.split(), "--partition=gpu", "--gpus-per-node=1", REPOSITORY / "docs" / "slurm.sh")
    assert jobs(queue, "PENDING,RUNNING") == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in DOCUMENTED if "--test-only" not in command])
def test_a_documented_command(queue, tmp_path, monkeypatch, command):
    """The GPU of the partition `gpu` is granted, but the runs compute on the CPU."""
    for name, value in lay_for_all(tmp_path, DOCS / "slurm.md").items():
        monkeypatch.setenv(name, value)
    if command.startswith("python "):
        done = run_module("train", *made_small(command)[1:], cwd=tmp_path)
        assert done.returncode == 0 and "2 runs: 2 completed" in done.stdout, done.stdout + done.stderr
    else:
        sbatch, *words = sbatch_made_small(command)
        own = ("--wait", f"--chdir={tmp_path}", f"--export=ALL,PYTHON={sys.executable}")
        subprocess.run([sbatch, *own, *words], check=True, timeout=240)
        told = [log.read_text() for log in tmp_path.glob("slurm-*.log")]
        assert len(told) == 2 and all("2 runs: 2 completed" in text for text in told), told
    assert len(list(tmp_path.glob("outputs/*/*/run.json"))) == 2
