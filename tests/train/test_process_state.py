"""What a run changes in its process is there in its own turns, and nowhere else."""

import gc
import logging
import os
import random
import signal
import sys
import time
import warnings

import numpy as np
import pytest
import torch

from sweeper.train.process_state import ProcessState

CHANGES = {
    "default type": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "default device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "grad mode": (torch.is_grad_enabled, lambda: torch._C._set_grad_enabled(False)),
    "anomaly mode": (torch.is_anomaly_enabled, lambda: torch.autograd.set_detect_anomaly(True)),
    "autocast": (lambda: torch.is_autocast_enabled("cpu"), lambda: torch.set_autocast_enabled("cpu", True)),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
    "precision": (torch.get_float32_matmul_precision, lambda: torch.set_float32_matmul_precision("medium")),
    "precision of convolutions": (
        lambda: torch.backends.cudnn.allow_tf32,
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    ),
    "precision by torch's newer switch": (
        lambda: torch.backends.cuda.matmul.fp32_precision,
        lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    ),
    "denormal numbers": (lambda: sys.float_info.min / 2, lambda: torch.set_flush_denormal(True)),
    "cuDNN": (lambda: torch.backends.cudnn.enabled, lambda: setattr(torch.backends.cudnn, "enabled", False)),
    "oneDNN": (lambda: torch.backends.mkldnn.enabled, lambda: setattr(torch.backends.mkldnn, "enabled", False)),
    "deterministic": (
        torch.are_deterministic_algorithms_enabled,
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "cudnn": (
        lambda: torch.backends.cudnn.benchmark,
        lambda: setattr(torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark),
    ),
    "folder": (os.getcwd, lambda: os.chdir("/")),
    "a variable": (lambda: os.environ.get("A_RUNS_OWN"), lambda: os.environ.update(A_RUNS_OWN="1")),
    "no variable": (lambda: os.environ.get("PATH"), lambda: os.environ.pop("PATH")),
    "sys.path": (lambda: list(sys.path), lambda: sys.path.insert(0, "elsewhere")),
    "standard error": (lambda: sys.stderr, lambda: setattr(sys, "stderr", None)),
    "warning filters": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error", ImportWarning)),
    "no logging": (lambda: logging.root.manager.disable, lambda: logging.disable(logging.ERROR)),
    "log level": (lambda: logging.getLogger("sweeper").level, lambda: logging.getLogger("sweeper").setLevel(49)),
    "Ctrl-C": (lambda: signal.getsignal(signal.SIGINT), lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)),
    "garbage": (gc.isenabled, lambda: gc.disable() if gc.isenabled() else gc.enable()),
    "recursion": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_there_in_its_runs_turns_alone(name):
    read, change = CHANGES[name]
    before, one, other = read(), ProcessState(), ProcessState()
    with one:
        change()
        changed = read()
    assert read() == before != changed
    with other:
        assert read() == before
    for _ in range(2):
        with one:
            assert read() == changed
        assert read() == before


def test_an_error_leaves_no_change_behind():
    state = ProcessState()
    with pytest.raises(SystemExit), state:
        torch.set_default_dtype(torch.float64)
        sys.exit()
    assert torch.get_default_dtype() == torch.float32


def test_what_is_set_between_turns_stays(monkeypatch):
    state = ProcessState()
    with state:
        os.environ["A_RUNS_OWN"] = "1"
    monkeypatch.setenv("OUR_OWN", "1")
    with state:
        assert "A_RUNS_OWN" in os.environ
    assert os.environ["OUR_OWN"] == "1" and "A_RUNS_OWN" not in os.environ


def test_a_folder_that_is_gone_stops_nobody(tmp_path):
    before, state = os.getcwd(), ProcessState()
    with state:
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with state:
        pass
    assert os.getcwd() == before


def test_random_generators_go_on_after_a_run_where_they_were_before_it():
    def draw():
        return random.random(), np.random.random(), torch.rand(1).item()

    state = ProcessState()
    first = draw()
    state.close()
    assert draw() == first


def test_a_turn_costs_microseconds():
    state, turns = ProcessState(), 2000
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(turns):
            with state:
                pass
        seconds.append((time.process_time() - begun) / turns)
    assert min(seconds) < 100e-6  # 10 on an idle core
