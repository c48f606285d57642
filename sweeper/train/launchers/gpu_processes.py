"""Starts one process for each of several GPUs; all of them take runs from one list."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import env_override, setup_globals

from sweeper.train.signals import begin_worker

# For tests: the number of processes to start, as if there were so many GPUs. They train on any device.
SIMULATED = "SWEEPER_SIMULATED_GPUS"

T = TypeVar("T")

_taken: Any = None  # in a GPU's process: the number of runs that all processes have taken from the list


def visible_gpus(kind: str) -> list[str]:
    """The names of the visible GPUs, in the form of CUDA_VISIBLE_DEVICES; empty if `kind` isn't cuda."""
    if count := os.environ.get(SIMULATED):
        return [str(k) for k in range(int(count))]
    if kind != "cuda":
        return []
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(k) for k in range(torch.cuda.device_count())])[: torch.cuda.device_count()]


def on_each_gpu(gpus: list[str], work: Callable[[Iterator[int]], dict[int, T]], runs: int) -> dict[int, T]:
    """Call `work` in one process for each GPU, with an iterator over the runs that no other process has taken.

    Raises:
        Exception: the first error of a process, e.g. a lost device, after all processes have ended.
    """
    spawn = multiprocessing.get_context("spawn")
    taken = spawn.Value("l", 0)
    payload = cloudpickle.dumps((work, runs, Singleton.get_state()))  # as Hydra's joblib launcher sends a task
    outcomes: dict[int, T] = {}
    errors: list[Exception] = []
    with ExitStack() as stack:
        futures = []
        for gpu in gpus:
            pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare, initargs=(taken, os.getpid()))
            stack.enter_context(pool)
            with env_override({"CUDA_VISIBLE_DEVICES": gpu}):  # set before the new process imports torch
                futures.append(pool.submit(_work, payload))
        for future in futures:
            try:
                outcomes |= cloudpickle.loads(future.result())
            except Exception as error:
                errors.append(error)
    if errors:
        raise errors[0]
    return outcomes


def _prepare(taken: Any, command: int) -> None:
    """Initialize a new process with the shared counter."""
    global _taken  # noqa: PLW0603  # a process gets a shared counter only at its start
    _taken = taken
    begin_worker(command)


def _work(payload: bytes) -> bytes:
    work, runs, state = cloudpickle.loads(payload)
    setup_globals()
    Singleton.set_state(state)
    done: bytes = cloudpickle.dumps(work(_take(runs)))
    return done


def _take(runs: int) -> Iterator[int]:
    while True:
        with _taken.get_lock():
            number = _taken.value
            _taken.value += 1
        if number >= runs:
            return
        yield number
