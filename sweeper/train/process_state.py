"""Isolates the process-wide state of runs that share a process and take turns.

What `_switches` lists is saved and restored at each turn, which takes some microseconds. The random generators of
Python, NumPy and torch, which are seeded at every step anyway, are saved and restored once per run.
"""

import _signal  # `signal.getsignal` creates enumeration members, which takes longer than everything else here
import contextlib
import gc
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import torch
from torch.backends import cudnn, mkldnn
from torch.utils import _device

from sweeper.system.process_end import outlive_threads
from sweeper.train.signals import SIGNALS

log = logging.getLogger("sweeper")

Turn = TypeVar("Turn")

_PRECISIONS = [
    ("generic", "all"),
    *((of, kind) for of in ("cuda", "mkldnn") for kind in ("all", "matmul", "conv", "rnn")),
]


class ProcessState:
    """One run's process-wide state. A context for each of its turns: on entry the run's state is set, on exit the
    process's is restored.

    Create it after our own settings for the run, so that these count as the process's and cost nothing per turn.
    """

    def __init__(self) -> None:
        self._switches = _switches()
        self._mine: list[Any] | None = None
        self._before: list[Any] = []
        self._generators = _read_generators()
        self._threads = set(threading.enumerate())

    def __enter__(self) -> None:
        self._before = self._read()
        if self._mine is not None:
            self._set(self._before, self._mine)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._mine = self._read()
        self._set(self._mine, self._before)

    def turns(self, steps: Generator[Turn, None, None]) -> Generator[Turn, None, None]:
        """Run each of `steps` within this state."""
        while True:
            with self:
                try:
                    turn = next(steps)
                except StopIteration:
                    return
            yield turn

    def close(self) -> None:
        """End the run: restore the random generators, and don't let its threads keep the process alive."""
        _set_generators(self._generators)
        if left := outlive_threads(self._threads):
            log.debug("still running: %s; the command ends without waiting for it", left)

    def _read(self) -> list[Any]:
        return [read() for read, _ in self._switches]

    def _set(self, now: list[Any], wanted: list[Any]) -> None:
        if now == wanted:
            return
        for (_, write), is_now, value in zip(self._switches, now, wanted, strict=True):
            if is_now != value:
                with contextlib.suppress(OSError):  # the folder may have been removed
                    write(value)


def _switches() -> list[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Pairs of functions that read and set one part of the state; the values can be compared."""
    switches: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (_folder, _enter_folder),
        (_environment, _set_environment),
        (lambda: list(sys.path), lambda paths: sys.path.__setitem__(slice(None), paths)),
        (lambda: (sys.stdout, sys.stderr), _set_streams),
        (lambda: list(warnings.filters), _set_filters),
        (lambda: logging.root.manager.disable, logging.disable),
        (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
        (sys.getrecursionlimit, sys.setrecursionlimit),
        (torch.get_default_dtype, torch.set_default_dtype),
        (lambda: _device.CURRENT_DEVICE, torch.set_default_device),  # torch.get_default_device gives cpu for None
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        (torch.get_num_threads, torch.set_num_threads),
        (_precisions, _set_precisions),
        (_deterministic, lambda flags: torch.use_deterministic_algorithms(flags[0], warn_only=flags[1])),
        (lambda: sys.float_info.min / 2 == 0, torch.set_flush_denormal),  # whether tiny numbers count as 0
        (lambda: cudnn.benchmark, lambda on: setattr(cudnn, "benchmark", on)),
        (lambda: cudnn.deterministic, lambda on: setattr(cudnn, "deterministic", on)),
        (lambda: cudnn.enabled, lambda on: setattr(cudnn, "enabled", on)),
        (lambda: mkldnn.enabled, lambda on: setattr(mkldnn, "enabled", on)),
    ]
    for logger in (logging.root, logging.getLogger("sweeper")):
        switches.append((partial(getattr, logger, "level"), logger.setLevel))
    for kind in ("cpu", "cuda"):
        switches.append((partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind)))
    for number in SIGNALS:
        switches.append((partial(_signal.getsignal, int(number)), partial(_set_handler, number)))
    return switches


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _precisions() -> list[Any]:
    """The precisions of fp32: first by torch's two older switches, which refuse to answer once a newer one was used,
    then by the newer ones."""
    older: list[Any] = []
    for read in (torch.get_float32_matmul_precision, torch._C._get_cudnn_allow_tf32):
        try:
            older.append(read())
        except RuntimeError:
            older.append(None)
    newer = getattr(torch._C, "_get_fp32_precision_getter", None)  # of torch 2.9 and later
    return older + ([newer(*place) for place in _PRECISIONS] if newer else [])


def _set_precisions(wanted: list[Any]) -> None:
    older: tuple[Callable[[Any], None], ...] = (torch.set_float32_matmul_precision, torch._C._set_cudnn_allow_tf32)
    for write, value in zip(older, wanted, strict=False):
        if value is not None:
            write(value)
    for place, value in zip(_PRECISIONS, wanted[2:], strict=False):
        torch._C._set_fp32_precision_setter(*place, value)


def _folder() -> str | None:
    """The working folder; None if it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _enter_folder(path: str | None) -> None:
    if path is not None:
        os.chdir(path)


def _environment() -> dict[Any, Any]:
    """The environment variables, encoded: decoding them takes longer than everything else here."""
    return dict(os.environ._data)  # type: ignore[attr-defined]


def _set_environment(variables: dict[Any, Any]) -> None:
    now, decode = _environment(), os.environ
    for key in now.keys() - variables.keys():
        del os.environ[decode.decodekey(key)]
    for key, value in variables.items():
        if now.get(key) != value:
            os.environ[decode.decodekey(key)] = decode.decodevalue(value)


def _set_streams(streams: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = streams


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # also invalidates the interpreter's cache
    warnings.filters[:] = filters  # type: ignore[index]  # a list, whatever typeshed calls it


def _set_handler(number: int, handler: Any) -> None:
    if handler is not None:  # None: set by a C library, can't be restored
        signal.signal(number, handler)


def _read_generators() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set_generators(states: tuple[Any, ...]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
