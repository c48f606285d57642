"""The process that times runs for `sweeper.plan`.

It reads one JSON document, its task, from standard input, and writes one JSON document per line:

- `{"device": …, "line": …, "import_seconds": …, "start_seconds": …, "load_seconds": …, "gpus": …}` when the first data
  are in memory;
- for each configuration of the task, after a line that doesn't skip it, `{"ready": true}`, after which it waits for a
  line, so that several processes are timed at the same time, and then a `Timing` as a dictionary;
- `{"built": …}` at the end, whether kernels were built that weren't on disk; on CUDA, if packing is requested, with
  `"lanes": …, "gain": …`;
- `{"error": …, "bad_input": …}` if it can't continue.

Its argument is the id of the parent process. If that process has ended, it ends silently.
"""

import _thread
import dataclasses
import functools
import importlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sweeper.datasets.facts import is_present
from sweeper.engine.device_errors import is_out_of_memory
from sweeper.engine.devices import Device, choose_device, prepare_process
from sweeper.engine.memory import explain_out_of_memory
from sweeper.plan.probe import SKIP
from sweeper.plan.timing import Timing, time_first, time_within
from sweeper.system.errors import BadInput, named
from sweeper.system.module_path import look_as_the_command_does
from sweeper.system.parent import end_with_parent
from sweeper.system.places import prepare_caches
from sweeper.system.temporary_folder import temporary_folder
from sweeper.train.energy import open_meter
from sweeper.train.launchers.gpu_processes import visible_gpus
from sweeper.train.launchers.kinds import kind_of_work
from sweeper.train.launchers.lane_cache import keep_gains, known_gains
from sweeper.train.launchers.lane_gains import choose_lanes, covers, sweep_time
from sweeper.train.launchers.lane_trial import Trial

if TYPE_CHECKING:
    from sweeper.datasets.data import Data


class Unheard(Exception):
    """The parent process has ended."""


def main() -> int:
    # Interrupted, it removes its temporary folders.
    end_with_parent(int(sys.argv[1]), _thread.interrupt_main, busy=lambda: True)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries' output must not mix with the answers
    try:
        return _answer_all(answers)
    except Unheard:
        # Closing the file would try to write the rest again and raise an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())
        return 1


def _answer_all(answers: TextIO) -> int:
    look_as_the_command_does()
    task = json.loads(_hear())
    try:
        _carry_out(task, answers)
    except Unheard:
        raise
    except BadInput as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent interrupts all after an error
        _tell(answers, {"error": str(error), "bad_input": True})
        return 2
    except Exception as error:  # models, optimizers and devices may raise anything
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _tell(answers, {"error": named(error), "bad_input": False})
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _carry_out(task: dict[str, Any], answers: TextIO) -> None:
    prepare_caches()
    kernels = Path(os.environ.get("TRITON_CACHE_DIR") or os.path.expanduser("~/.triton/cache"))  # Triton's cache
    built = _count(kernels)
    prepare_process(task["threads"])
    from sweeper.config.targets import check_targets

    importlib.import_module("torch")  # reads what is prepared

    imported = time.time()
    configs: list[dict[str, Any]] = task["configs"]
    devices = [choose_device(config["device"], task["threads"]) for config in configs]  # of one kind
    device = devices[0]
    started, gpus = time.time(), len(visible_gpus(device.kind))
    for config in configs:
        check_targets(config)
    _load(configs[0])
    seconds = {"import_seconds": imported - task["began"], "start_seconds": started - task["began"]}
    seconds["load_seconds"] = time.time() - started
    _tell(answers, {"device": device.kind, "line": device.line(), **seconds, "gpus": gpus})
    for config, device in zip(configs, devices, strict=True):
        if _hear().strip() == SKIP:
            continue
        data = _load(config)
        try:
            first = time_first(config, data, device)
            _tell(answers, {"ready": True})
            _hear()
            timing = _time_with_power(task["seconds"], config, data, device, first)
        except Exception as error:
            if is_out_of_memory(error):
                raise BadInput(explain_out_of_memory(config, data, device)) from error
            raise
        _tell(answers, dataclasses.asdict(timing))
    packed = {}
    if task["pack"] and device.kind == "cuda":
        lanes, gain = _pack(list(zip(configs, devices, strict=True)), task["pack"])
        packed = {"lanes": lanes, "gain": gain}
    _tell(answers, {"built": _count(kernels) > built, **packed})


def _time_with_power(seconds: float, config: dict[str, Any], data: "Data", device: Device, first: Timing) -> Timing:
    """A timing with the mean power of the GPU meanwhile."""
    meter, began = open_meter(device.kind), time.perf_counter()
    before = None if meter is None else meter.joules()
    timing = time_within(seconds, config, data, device, first)
    after = None if meter is None else meter.joules()
    if before is None or after is None:
        return timing
    return dataclasses.replace(timing, watts=(after - before) / (time.perf_counter() - began))


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _tell(answers: TextIO, answer: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(answer) + "\n")
    except BrokenPipeError:
        raise Unheard from None


def _hear() -> str:
    if not (line := sys.stdin.readline()):
        raise Unheard
    return line


def _load(config: dict[str, Any]) -> "Data":
    """The run's data, or random images if they would have to be downloaded."""
    from sweeper.datasets.data import load_run_data

    dataset = config["dataset"]
    if not is_present(dataset):
        dataset = {**dataset, "loader": "sweeper.datasets.synthetic.made_images", "made_of": dataset["loader"]}
    return load_run_data({**config, "dataset": dataset})


def _pack(work: list[tuple[dict[str, Any], Device]], runs: int) -> tuple[int, float]:
    """How many of `runs` runs `lanes=auto` trains side by side on this GPU, and the speed of the whole sweep relative
    to one run after another: as the launcher has measured before, or by its trial, whose result the launcher finds."""
    from sweeper.train.launchers.cuda_lane import Cuda
    from sweeper.train.launchers.lanes import Lanes

    each = dict(enumerate(itertools.islice(itertools.cycle(work), runs)))
    kinds = {k: kind_of_work(config) for k, (config, _) in each.items()}
    gains = known_gains(kinds.values())
    if gains is None or not covers(gains, runs):
        trial = Trial(runs, kinds, functools.partial(keep_gains, kinds.values()))
        with temporary_folder("sweeper-plan-") as folder:
            starts = [
                (k, functools.partial(_until_tried, config, folder / str(k), device, lambda: trial.over))
                for k, (config, device) in each.items()
            ]
            Lanes(iter(starts), Cuda(), trial).run()
        gains = trial.gains or {1: 1.0}
    lanes = choose_lanes(gains, runs)
    return lanes, runs / sweep_time(gains, runs, lanes)


def _until_tried(
    config: dict[str, Any], folder: Path, device: Device, tried: Callable[[], bool]
) -> Generator[Any, None, None]:
    """A run that continues as long as the trial needs it."""
    from sweeper.engine.loop import train
    from sweeper.runs.directory import RunDirectory

    config = {**config, "epochs": 1000, "checkpoint_every": 1000}
    if tried():
        return
    for turn in train(config, _load(config), device, RunDirectory(folder), [], lambda row: None, {}):
        if tried():
            return
        yield turn


if __name__ == "__main__":
    sys.exit(main())
