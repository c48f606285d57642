"""Times runs by `sweeper.plan.worker` in separate processes, as many at a time as a launcher would start."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sweeper.plan.timing import Timing
from sweeper.system.errors import BadInput, RunFailed
from sweeper.system.terminal import tell

SKIP = "skip"  # what a worker hears in place of an empty line if the next configuration isn't to be timed
_STARTING = ("import_seconds", "start_seconds", "load_seconds")


@dataclass(frozen=True)
class Probed:
    """The results of simultaneous processes; each figure is the slowest process's.

    Attributes:
        device: cuda, mps or cpu.
        line: the device in words.
        import_seconds: from the start of a process until torch is imported.
        start_seconds: from the start of a process until its device is chosen.
        load_seconds: from then until its data are in memory.
        gpus: the number of visible NVIDIA GPUs.
        timings: one for each configuration; None for one that was skipped.
        seconds: that the timings took, with set-up and warm-up.
        lanes, gain: on CUDA, for the launcher `packed`: runs at a time, and the speed-up in total.
    """

    device: str
    line: str
    import_seconds: float
    start_seconds: float
    load_seconds: float
    gpus: int
    timings: list[Timing | None]
    seconds: float = 0.0
    lanes: int = 1
    gain: float = 1.0


# Called with a configuration's place and timing, as soon as it is known.
Hear = Callable[[int, Timing], None]


def pass_over(place: int, timing: Timing) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class Bound:
    """Which configurations are left out once the others have taken long.

    Attributes:
        needed: the places of those that are always timed.
        seconds: from when the processes have started.
    """

    needed: Collection[int]
    seconds: float


def probe(
    configs: list[dict[str, Any]],
    at_a_time: int,
    threads: int,
    seconds: float,
    pack: int,
    bound: Bound | None = None,
    hear: Hear = pass_over,
) -> Probed:
    """Time the configurations one after another, each in `at_a_time` simultaneous processes.

    Args:
        threads: per process.
        seconds: per configuration, besides set-up and warm-up.
        pack: on CUDA, the number of runs to try side by side in one process; 0 tries none.
        bound: None times all.
        hear: called for each configuration.

    Raises:
        BadInput: a configuration can't be built.
        RunFailed: a process failed.
    """
    found, built = _probe(configs, at_a_time, threads, seconds, pack, bound, hear)
    if not built:
        return found
    # The sweep will find the built kernels on disk, so its set-up is timed again.
    tell("kernels were built: timing a start that finds them")
    timed = [place for place, timing in enumerate(found.timings) if timing is not None]
    again, _ = _probe([configs[place] for place in timed], at_a_time, threads, 0.0)
    timings = list(found.timings)
    for place, later in zip(timed, again.timings, strict=True):
        timing = timings[place]
        assert timing is not None and later is not None
        timings[place] = dataclasses.replace(
            timing, setup_seconds=later.setup_seconds, first_seconds=later.first_seconds
        )
    return dataclasses.replace(again, timings=timings, seconds=found.seconds, lanes=found.lanes, gain=found.gain)


def _probe(
    configs: list[dict[str, Any]],
    at_a_time: int,
    threads: int,
    seconds: float,
    pack: int = 0,
    bound: Bound | None = None,
    hear: Hear = pass_over,
) -> tuple[Probed, bool]:
    """Probe once; also returns whether kernels had to be built."""
    task = {"configs": configs, "threads": threads, "seconds": seconds, "pack": pack, "began": time.time()}
    with _processes(at_a_time, json.dumps(task)) as processes:
        found = [_answer(process) for process in processes]
        began = time.monotonic()
        timings: list[Timing | None] = []
        for place, config in enumerate(configs):
            late = bound is not None and time.monotonic() - began > bound.seconds and place not in bound.needed
            for process in processes:
                _write(process, SKIP if late else "")
            if late:
                timings.append(None)
                continue
            what = f"{config['dataset']['name']}-{config['model']['name']} {config['optimizer']['name']}"
            tell(f"timing {what}, {at_a_time} at a time")
            for process in processes:
                _answer(process)  # it is ready
            for process in processes:
                _write(process, "")
            timing = max((Timing(**_answer(one)) for one in processes), key=lambda timing: timing.epoch_seconds)
            timings.append(timing)
            hear(place, timing)
        seconds = time.monotonic() - began
        packed = _answer(processes[0])
    built = packed.pop("built")
    slowest = {name: max(answer[name] for answer in found) for name in _STARTING}
    return Probed(**{**found[0], **slowest}, timings=timings, seconds=seconds, **packed), built


@contextlib.contextmanager
def _processes(n: int, task: str) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "sweeper.plan.worker", str(os.getpid())]
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(n):
            # In a new session, so that Ctrl-C reaches only this process, which then interrupts them.
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
            processes.append(subprocess.Popen(command, encoding="utf-8", errors="replace", **pipes))
            _write(processes[-1], task)
        yield processes
    except BaseException:
        for process in processes:
            process.send_signal(signal.SIGINT)  # so that they remove their temporary folders
        raise
    finally:
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            with process, contextlib.suppress(BrokenPipeError):  # closes the pipes
                pass


def _write(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # its answer says why it ended
        process.stdin.write(f"{text}\n")
        process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        code = process.wait()
        raise RunFailed(
            f"the timing probe was killed by signal {-code}, as when memory runs out; choose a smaller batch_size"
            if code < 0
            else f"the timing probe ended with code {code}; its output is above"
        )
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise BadInput(answer["error"]) if answer.get("bad_input") else RunFailed(f"timing probe: {answer['error']}")
    return answer
