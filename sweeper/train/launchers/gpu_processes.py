"""Starts one process for each of several GPUs; all of them take runs from one list."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import env_override, setup_globals

from sweeper.train.launchers.run_list import RunList, Shared
from sweeper.train.signals import begin_worker

# For tests: the number of processes to start, as if there were so many GPUs. They train on any device.
SIMULATED = "SWEEPER_SIMULATED_GPUS"

T = TypeVar("T")

_shared: Shared | None = None  # in a GPU's process


def visible_gpus(kind: str) -> list[str]:
    """The names of the visible GPUs, in the form of CUDA_VISIBLE_DEVICES; empty if `kind` isn't cuda."""
    if count := os.environ.get(SIMULATED):
        return [str(k) for k in range(int(count))]
    if kind != "cuda":
        return []
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(k) for k in range(torch.cuda.device_count())])[: torch.cuda.device_count()]


def on_each_gpu(gpus: list[str], work: Callable[[RunList], dict[int, T]], runs: int) -> dict[int, T]:
    """Call `work` in one process for each GPU, with the list from which it takes runs that no other process has taken.

    Raises:
        Exception: the first error of a process, e.g. a lost device, after all processes have ended.
    """
    spawn = multiprocessing.get_context("spawn")
    shared = Shared.of(spawn, len(gpus))
    payloads = [
        cloudpickle.dumps((work, runs, gpu, Singleton.get_state())) for gpu in range(len(gpus))
    ]  # as Hydra's joblib launcher sends a task
    outcomes: dict[int, T] = {}
    errors: list[Exception] = []
    with ExitStack() as stack:
        futures = []
        for gpu, payload in zip(gpus, payloads, strict=True):
            pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare, initargs=(shared, os.getpid()))
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


def _prepare(shared: Shared, command: int) -> None:
    """Initialize a new process with the shared memory."""
    global _shared  # noqa: PLW0603  # a process gets shared memory only at its start
    _shared = shared
    begin_worker(command)


def _work(payload: bytes) -> bytes:
    work, runs, gpu, state = cloudpickle.loads(payload)
    setup_globals()
    Singleton.set_state(state)
    assert _shared is not None
    done: bytes = cloudpickle.dumps(work(RunList(runs, _shared, gpu)))
    return done
