"""What is asked of Slurm before a sweep is queued; a real one is in tests/clusters/."""

import doctest
import importlib.util
import os
import signal
import stat

import pytest
from conftest import TINY

import sweeper.train.launchers.slurm
from sweeper.train.launchers.slurm import Slurm, SlurmLocal
from sweeper.train.signals import SIGNALS, StopSignals

SLURM = ("-m", *TINY, "model=mlp", "seed=1,2", "hydra/launcher=slurm")


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(sweeper.train.launchers.slurm, "is_installed", lambda package: True)


def test_limits_and_gpus_are_read():
    assert doctest.testmod(sweeper.train.launchers.slurm).failed == 0
    assert sweeper.train.launchers.slurm.minutes("UNLIMITED") is None
    assert sweeper.train.launchers.slurm.minutes("1-00:00:00") == 1440
    assert sweeper.train.launchers.slurm.gpus("gpu:8") == 8
    assert sweeper.train.launchers.slurm.gpus("gpu:a100_80gb:4(IDX:0-3),shard:16") == 4


@pytest.mark.parametrize("choice", ["slurm", "slurm_local"])
def test_without_its_package_only_choosing_it_fails(call, monkeypatch, choice):
    monkeypatch.setattr(sweeper.train.launchers.slurm, "is_installed", lambda package: False)
    code, _, err = call(*SLURM[:-1], f"hydra/launcher={choice}")
    assert code == 2
    how = "pip install 'optimizer-sweeper[slurm]', or '.[slurm]' from a clone"
    assert err == f"error: hydra/launcher={choice}: its package isn't installed; {how}\n"


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("timeout_min=0", "hydra.launcher.timeout_min=0: must be at least 1"),
        ("gpus_per_node=-1", "hydra.launcher.gpus_per_node=-1: must be at least 0"),
        ("timeout_min=x", "hydra.launcher.timeout_min=x: must be an integer"),
        ("signal_delay_s=3600", "hydra.launcher.signal_delay_s=3600: a run would be warned as it starts"),
    ],
)
def test_options_out_of_range(call, installed, option, line):
    code, _, err = call(*SLURM, f"hydra.launcher.{option}")
    assert code == 2
    assert err.startswith(f"error: {line}")
    assert len(err.splitlines()) == 1


def test_by_slurm_runs_have_other_machines_and_may_be_cancelled():
    assert Slurm().elsewhere and Slurm().cancels
    assert not SlurmLocal().elsewhere and not SlurmLocal().cancels
    for launcher in (Slurm(), SlurmLocal()):
        assert launcher.at_a_time({"cpus_per_task": 2}) == 1
        assert launcher.has_lost_a_process(type("UncompletedJobError", (Exception,), {})())
        assert not launcher.has_lost_a_process(None)


def test_no_sbatch(call, installed, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = call(*SLURM)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: hydra/launcher=slurm: there is no sbatch on this machine")
    assert not (tmp_path / "outputs").exists()


def commands(folder, **scripts: str) -> None:
    """Stand-ins of Slurm's commands."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(stat.S_IRWXU)


def test_gpus_of_the_partition_asked_for(installed, monkeypatch, tmp_path):
    """The best node counts, of the partitions named; what sbatch itself refuses is told in its words."""
    sinfo = "echo 'cpu*|1:00:00|(null)'; echo 'gpu|infinite|gpu:h100:4(S:0-1)'; echo 'gpu|infinite|gpu:2'"
    commands(tmp_path, sinfo=sinfo, sbatch="test $2 != --time=7 || { echo sbatch: error: no >&2; exit 1; }")
    commands(tmp_path, squeue="", srun="")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    nothing = ("partition", "account", "qos", "constraint", "gres", "cpus_per_task", "gpus_per_node", "mem_gb")
    asked = {**dict.fromkeys(nothing), "timeout_min": 60}
    Slurm().prepare({**asked, "partition": "gpu", "gpus_per_node": 4, "timeout_min": 9999})
    for wrong, line in (
        ({"partition": "gpu", "gpus_per_node": 5}, "no node of partition gpu has more than 4"),
        ({"gpus_per_node": 1}, "no node of the default partition has more than 0"),
        ({"timeout_min": 61}, "the default partition gives 60 at most"),
        ({"partition": "gpux"}, "did you mean 'gpu'"),
        ({"timeout_min": 7}, "sbatch refuses --time=7: no"),
    ):
        with pytest.raises(sweeper.train.launchers.slurm.BadInput, match=line):
            Slurm().prepare({**asked, **wrong})


class SubmititsHandler:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def checkpoint_and_try_requeue(self, number, frame) -> None:
        self.seen.append(number)


@pytest.fixture
def kept_signals():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "state", "again"),
    [
        (signal.SIGUSR2, "RUNNING", True),
        (signal.SIGTERM, "RUNNING", True),
        (signal.SIGTERM, "COMPLETING", False),  # it was cancelled
        (signal.SIGINT, "RUNNING", False),
    ],
)
def test_a_signal_is_handed_on_to_submitit(kept_signals, monkeypatch, tmp_path, number, state, again):
    commands(tmp_path, squeue=f"echo {state}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    submitit = SubmititsHandler()
    signal.signal(signal.SIGUSR2, submitit.checkpoint_and_try_requeue)
    signals = StopSignals()
    assert signals.of_one_job
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), signal.SIGTERM)  # a second one doesn't end it before its checkpoint is written
    assert submitit.seen == []
    signals.requeue()
    assert submitit.seen == [number] * again


def test_a_job_is_not_queued_again_where_slurm_tells_nothing_of_it(kept_signals, monkeypatch, tmp_path, capfd):
    """It may have been cancelled; that it won't go on by itself is said."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("PATH", str(tmp_path))
    submitit = SubmititsHandler()
    signal.signal(signal.SIGUSR2, submitit.checkpoint_and_try_requeue)
    signals = StopSignals()
    signals.received = signal.SIGUSR2
    for script, reason in ((None, "No such file"), ("echo 'Unable to contact' >&2; exit 1", "Unable to contact")):
        if script is not None:
            commands(tmp_path, squeue=script)
        signals.requeue()
        said = capfd.readouterr().err
        assert said.startswith("job 17 isn't queued again, as squeue doesn't tell") and reason in said
        assert submitit.seen == [] and said.count("\n") == 1


def test_without_submitit_nothing_is_handed_on(kept_signals):
    signals = StopSignals()
    assert not signals.of_one_job
    os.kill(os.getpid(), signal.SIGUSR2)
    signals.requeue()


@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="needs the extra `slurm`")
@pytest.mark.parametrize(("numbers", "queued"), [(None, ["a", "b", "c"]), ({1, 2}, ["b", "c"]), (set(), [])])
def test_only_runs_that_are_not_finished_get_a_place_in_the_queue(monkeypatch, numbers, queued):
    """As the task that Hydra hands over tells the launcher; a task of another program tells nothing."""
    from hydra_plugins.sweeper_slurm_launcher import SlurmLauncher
    from sweeper.train.task import Task

    monkeypatch.setattr(SlurmLauncher.__base__, "launch", lambda self, overrides, first: overrides)
    launcher = SlurmLauncher()
    for launcher.task_function in (Task(numbers=numbers), *([lambda cfg: None] if numbers is None else [])):
        assert launcher.launch([["a"], ["b"], ["c"]], 0) == [[one] for one in queued]
