"""A run whose own code leaves by every door, or changes its process, beside others: nothing else suffers."""

import json
import os
import signal
from pathlib import Path

import pytest
from conftest import TINY
from forked import TABLES_HERE, run_forked, start
from packed_sweeps import INTERLEAVED, metrics, records, rows

pytestmark = pytest.mark.slow

USERS_OPTIMIZER = """
import asyncio, gc, logging, os, random, signal, sys, threading, time, warnings
import numpy as np
import torch


class Rogue(torch.optim.SGD):
    '''In its 7th step it does what it is told to.'''

    def __init__(self, params, does="nothing", **options):
        super().__init__(params, **options)
        self.steps, self.does = 0, does

    @torch.no_grad()
    def step(self, closure=None):
        self.steps += 1
        if self.steps == 7 and not os.path.exists("/".join((os.environ["REPAIRED"], "repaired"))):
            globals()[self.does]()
        return super().step(closure)


class Mute(RuntimeError):
    def __str__(self): raise ValueError


def nothing(): pass
def exit_0(): sys.exit(0)
def exit_3(): sys.exit(3)
def generator_exit(): raise GeneratorExit
def keyboard_interrupt(): raise KeyboardInterrupt
def mute(): raise Mute
def cancelled(): raise asyncio.CancelledError
def os_exit(): os._exit(0)
def crash(): os.kill(os.getpid(), signal.SIGSEGV)
def default_type(): torch.set_default_dtype(torch.float64)
def folder(): os.chdir("/")
def endless_thread(): threading.Thread(target=time.sleep, args=(1e6,), name="endless").start()


class Model(torch.nn.Module):
    def __init__(self, num_classes, in_channels, image_size=8, width=4, depth=1):
        super().__init__()
        self.layer, self.calls = torch.nn.LazyLinear(num_classes), 0
        self.layer(torch.zeros(1, in_channels * image_size * image_size))

    def forward(self, x):
        self.calls += self.training
        if self.calls == 7:
            sys.exit(0)
        return self.layer(x.flatten(1))


def schedule(optimizer, total_steps, **options):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: sys.exit(0) if step == 7 else 1.0)


def everything():
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch._C._set_grad_enabled(False)
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    os.environ.clear()
    sys.path.clear()
    sys.stdout = sys.stderr = None
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.disable()
    sys.exit("done with it")
"""

FAIL = {
    "exit_0": "SystemExit: sys.exit(0)",
    "exit_3": "SystemExit: sys.exit(3)",
    "generator_exit": "GeneratorExit",
    "keyboard_interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError",
    "mute": "Mute",
    "everything": "SystemExit: sys.exit('done with it')",
}
GO_ON = ("default_type", "folder", "endless_thread")
ROGUE = (*TINY, "epochs=3", "model=mlp", "optimizer=sgd", "optimizer._target_=rogue.Rogue")
LAUNCHERS = {
    "basic": (),
    "joblib": ("hydra.launcher.n_jobs=2",),
    "packed": ("hydra.launcher.lanes=3",),
}


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "rogue.py").write_text(USERS_OPTIMIZER)
    return folder


def user(folder: Path, where: Path | None = None) -> dict:
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {"cwd": where or folder, "PYTHONPATH": path, "REPAIRED": str(where or folder)}


def by_what_it_does(outputs: Path) -> dict[str, dict]:
    return {record["config"]["optimizer"]["does"]: record | {"run": name} for name, record in records(outputs).items()}


@pytest.fixture(scope="module")
def alone(users_folder):
    """The metrics of the well-behaved run, by its name, which nothing ran beside."""
    run = run_forked("train", *ROGUE, "+optimizer.does=nothing", "outputs=alone", **user(users_folder))
    assert run.returncode == 0, run.stderr
    return metrics(users_folder / "alone")


@pytest.fixture(scope="module", params=LAUNCHERS)
def sweep(request, users_folder):
    """All of these at once, a well-behaved one among them; by `packed` in turn, three at a time."""
    launcher, outputs = request.param, f"with-{request.param}"
    does = [*FAIL, "nothing", *GO_ON]
    arguments = ("-m", *ROGUE, f"+optimizer.does={','.join(does)}", f"hydra/launcher={launcher}")
    words = (*arguments, *LAUNCHERS[launcher], f"outputs={outputs}")
    done = run_forked("train", *words, **user(users_folder), patch=INTERLEAVED if launcher == "packed" else "")
    return done, users_folder / outputs


@pytest.mark.parametrize(
    "group",
    ["model._target_=sweeper.models.mlp,rogue.Model", "schedule._target_=sweeper.schedules.cosine,rogue.schedule"],
)
def test_a_model_or_a_schedule_that_leaves_costs_its_run_alone(tmp_path, users_folder, group):
    words = ("-m", *TINY, "epochs=3", "model=mlp", "optimizer=sgd", group, "hydra/launcher=basic")
    done = run_forked("train", *words, **user(users_folder, tmp_path), patch=TABLES_HERE)
    assert done.returncode == 1, done.stderr
    ended = sorted((record["status"], record["error"]) for record in records(tmp_path / "outputs").values())
    assert ended == [("completed", None), ("failed", "SystemExit: sys.exit(0)")]
    assert (tmp_path / "outputs" / "summary.csv").is_file()


def test_what_leaves_fails_in_a_line_and_the_tables_are_made(sweep):
    done, outputs = sweep
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    table = rows(outputs / "results.csv")
    failed = [row for row in table if row["status"] == "failed"]
    told = {(row["optimizer.does"], row["error"]) for row in failed}
    assert len(table) == 11 and len(failed) == len(FAIL) and told == set(FAIL.items())
    for error in FAIL.values():
        assert done.stderr.count(f": failed: {error} (more in its train.log)\n") == 1


def test_the_others_are_trained_to_the_same_bits(sweep, alone):
    _, outputs = sweep
    ((run, curve),) = alone.items()
    assert metrics(outputs)[run] == curve
    finished = by_what_it_does(outputs)
    for does in GO_ON:
        assert finished[does]["status"] == "completed", finished[does]["error"]
        assert (outputs / "digits-mlp" / finished[does]["run"] / "model.safetensors").exists()
    assert not list(outputs.glob("*/*/run.lock*")) and not list(outputs.glob("*/*/checkpoint*"))


@pytest.mark.parametrize("does", [*FAIL, *GO_ON])
def test_a_single_run_too(users_folder, tmp_path, does):
    done = run_forked("train", *ROGUE, f"+optimizer.does={does}", **user(users_folder, tmp_path))
    assert "Traceback" not in done.stderr
    (record,) = records(tmp_path / "outputs").values()
    assert (record["status"], record["error"]) == (("failed", FAIL[does]) if does in FAIL else ("completed", None))
    assert done.returncode == (does in FAIL)


@pytest.mark.parametrize(
    "launcher",
    [("joblib", "hydra.launcher.n_jobs=2"), ("packed", "hydra.launcher.lanes=1")],
    ids=["joblib", "packed by two GPUs"],
)
def test_a_process_that_dies_costs_its_run_alone(users_folder, tmp_path, alone, launcher):
    """Two at a time: of the two that die each may take the other along, and the second one the run that trains then."""
    name, *options = launcher
    arguments = ("-m", *ROGUE, "+optimizer.does=os_exit,crash,nothing", f"hydra/launcher={name}", *options)
    environment = user(users_folder, tmp_path) | {"SWEEPER_SIMULATED_GPUS": "2", "patch": TABLES_HERE}
    done = run_forked("train", *arguments, **environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    table = rows(tmp_path / "outputs" / "results.csv")
    status = {row["optimizer.does"]: row["status"] for row in table}
    assert status == {"os_exit": "failed", "crash": "failed", "nothing": "completed"}
    errors = {row["optimizer.does"]: row["error"] for row in table if row["status"] == "failed"}
    assert all(" ended in the middle of it (" in error for error in errors.values())
    if name == "joblib":
        assert "(SIGSEGV)" in errors["crash"] and "(exit code 0)" in errors["os_exit"]
    for error in errors.values():
        assert done.stderr.count(error) == 1  # each was tried once
    ((run, curve),) = alone.items()
    assert metrics(tmp_path / "outputs")[run] == curve
    (tmp_path / "repaired").touch()
    again = run_forked("train", *arguments, **environment)
    assert again.returncode == 0 and again.stderr.count("completed, test") == 2


@pytest.mark.parametrize("launcher", ["basic", "packed"])
def test_after_the_sweeps_own_process_died_the_same_command_names_the_run_and_trains_the_others(
    users_folder, tmp_path, launcher
):
    arguments = ("-m", *ROGUE, "+optimizer.does=os_exit,nothing", f"hydra/launcher={launcher}")
    given = user(users_folder, tmp_path) | {"patch": TABLES_HERE}
    run_forked("train", *arguments, **given)
    (dead,) = by_what_it_does(tmp_path / "outputs").values()
    assert dead["status"] == "running"
    again = run_forked("train", *arguments, **given)
    lines = [line for line in again.stderr.splitlines() if "ended in the middle of it" in line]
    assert len(lines) == 1 and lines[0].startswith(f"does os_exit, in outputs/digits-mlp/{dead['run']}: process ")
    assert lines[0].endswith("it goes on from its checkpoint, after the others")
    status = sorted(row["status"] for row in rows(tmp_path / "outputs" / "results.csv"))
    assert status.count("completed") == 1  # before the other one ended the process again
    (tmp_path / "repaired").touch()
    done = run_forked("train", *arguments, **given)
    assert done.returncode == 0, done.stderr
    assert {record["status"] for record in records(tmp_path / "outputs").values()} == {"completed"}


def test_a_search_goes_on_without_a_trial_that_leaves(users_folder, tmp_path):
    arguments = ("-m", *ROGUE, "+optimizer.does=exit_0", "optimizer.lr=interval(0.01,0.2)", "hydra/sweeper=optuna")
    options = ("hydra.sweeper.trials=2", "dataset.validation_fraction=0.2", "hydra/launcher=basic")
    done = run_forked("train", *arguments, *options, **user(users_folder, tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert [run["error"] for run in records(tmp_path / "outputs").values()] == [FAIL["exit_0"]] * 2


def test_a_real_ctrl_c_still_stops_a_sweep_whose_run_took_the_signals(users_folder, tmp_path):
    arguments = ("-m", *ROGUE, "+optimizer.does=everything,nothing", "epochs=2000", "hydra/launcher=basic")
    variables = {**os.environ, "PYTHONPATH": str(users_folder), "REPAIRED": str(tmp_path)}
    command = start("train", *arguments, cwd=tmp_path, log=tmp_path / "log", environment=variables)
    while ": failed: " not in command.text or len(list((tmp_path / "outputs").glob("*/*/metrics.csv"))) < 2:
        assert command.wait(0.02) is None, command.text
    os.kill(command.pid, signal.SIGTERM)
    assert command.wait(60) == 143
    statuses = {json.loads(path.read_text())["status"] for path in (tmp_path / "outputs").glob("*/*/run.json")}
    assert statuses == {"failed", "interrupted"}
