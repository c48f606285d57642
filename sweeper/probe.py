"""What `sweeper.plan` times, in a process of its own: the engine's own loop, on as much of the data as time allows.

The process reads one JSON document, its task, from standard input, and writes one JSON document a line:

- `{"device": …, "line": …, "start_seconds": …, "load_seconds": …, "gpus": …}` once the first data lie in memory;
- for each of the task's configurations `{"ready": true}`, after which it waits for a line, so that several processes
  are timed at the same time, and then a `Timing` as a dictionary;
- `{"lanes": …, "gain": …}` at the end, on CUDA, if it is asked to pack;
- `{"error": …, "bad_input": …}` where it can't go on.

When whoever asked is gone, which shows in a pipe that is closed, it ends without a word.
"""

import dataclasses
import functools
import itertools
import json
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sweeper.devices import choose_device, peak_memory_bytes, prepare_process, reset_peak_memory
from sweeper.errors import BadInput
from sweeper.faults import explain_out_of_memory, is_out_of_memory
from sweeper.gpus import visible_gpus
from sweeper.published import is_present

if TYPE_CHECKING:
    from sweeper.data import Data, Split
    from sweeper.devices import Device

FIRST_STEPS, FIRST_BATCH, FIRST_TEST = 2, 16, 20  # of the first try, which tells how much can be timed
LEAST_TEST = 100  # images that are evaluated at least where an epoch is too long to be timed
MOST_EPOCHS = 20


@dataclasses.dataclass(frozen=True)
class Timing:
    """What one epoch of a configuration takes, its evaluation included, and what a run takes beside its epochs.

    Attributes:
        train_seconds: of an epoch's training alone.
        other_seconds: of an epoch: evaluation, drawing the order, writing the metrics.
        setup_seconds: of a run, once the data lie in memory: building, the first step, its last files.
        first_seconds: more for the first run of its kind in a process: kernels are chosen and built.
        images: of an epoch's training.
        image: (channels, height, width).
        memory_bytes: the device's peak; on the CPU the process's.
        weights_bytes: of `model.safetensors`.
        checkpoint_bytes: of `checkpoint.pt`.
        part: of the epoch that was timed, in (0, 1].
        data: one line.
    """

    train_seconds: float
    other_seconds: float
    setup_seconds: float
    first_seconds: float
    images: int
    image: tuple[int, int, int]
    memory_bytes: int
    weights_bytes: int
    checkpoint_bytes: int
    part: float
    data: str

    @property
    def epoch_seconds(self) -> float:
        return self.train_seconds + self.other_seconds


class Unheard(Exception):
    """Whoever asked is gone."""


def main() -> int:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries' words are no answers
    try:
        return _answer_all(answers)
    except Unheard:
        # What couldn't be written would be tried again, and complained of, when the file is closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())
        return 1


def _answer_all(answers: TextIO) -> int:
    task = json.loads(_hear())
    try:
        _carry_out(task, answers)
    except Unheard:
        raise
    except BadInput as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who hears of the error tells all to end, and this one is ending
        _tell(answers, {"error": str(error), "bad_input": True})
        return 2
    except Exception as error:  # models, optimizers and devices fail in their own ways
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        line = (str(error).strip() or "no message").splitlines()[0]
        _tell(answers, {"error": f"{type(error).__name__}: {line}", "bad_input": False})
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _carry_out(task: dict[str, Any], answers: TextIO) -> None:
    from sweeper.places import Cuda

    prepare_process(task["threads"])
    configs: list[dict[str, Any]] = task["configs"]
    device = choose_device(configs[0]["device"], task["threads"])
    started, gpus = time.time(), len(visible_gpus(device.kind))
    _load(configs[0])
    seconds = {"start_seconds": started - task["began"], "load_seconds": time.time() - started}
    _tell(answers, {"device": device.kind, "line": device.line(), **seconds, "gpus": gpus})
    for config in configs:
        data = _load(config)
        try:
            first = time_first(config, data, device)
            _tell(answers, {"ready": True})
            _hear()
            timing = time_within(task["seconds"], config, data, device, first)
        except Exception as error:
            if is_out_of_memory(error):
                raise BadInput(explain_out_of_memory(config, data, device)) from error
            raise
        _tell(answers, dataclasses.asdict(timing))
    if task["pack"] and device.kind == "cuda":
        lanes, gain = _pack(configs, device, task["pack"])
        with Cuda().place():
            lane = time_within(task["seconds"], config, data, device, first)
        # The trial compares with a single lane, which is slower than a run without lanes: it has no branches.
        gain *= timing.train_seconds / lane.train_seconds
        _tell(answers, {"lanes": lanes, "gain": gain})


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
    """The run's data, or made ones where they would have to be downloaded."""
    from sweeper.prepare import load_run_data

    dataset = config["dataset"]
    if not is_present(dataset):
        dataset = {**dataset, "loader": "sweeper.made.made_images", "made_of": dataset["loader"]}
    return load_run_data({**config, "dataset": dataset})


def time_first(config: dict[str, Any], data: "Data", device: "Device") -> Timing:
    """A rough timing by a few small steps, by which to choose what `time_within` times; and a checkpoint's size."""
    config = {**config, "batch_size": min(FIRST_BATCH, config["batch_size"])}
    part = part_of(data, FIRST_STEPS * config["batch_size"], FIRST_TEST)
    return time_epochs(config, part, device, epochs=2, whole=data, stop=True)


def time_within(seconds: float, config: dict[str, Any], data: "Data", device: "Device", first: Timing) -> Timing:
    """The timing by whole epochs if a few of them fit into `seconds`, else by parts of an epoch, of one step at least.

    Args:
        first: tells how long an epoch may take.
    """
    fits = seconds / first.epoch_seconds
    if fits >= 3:
        timing = time_epochs(config, data, device, min(int(fits), MOST_EPOCHS), whole=data)
    else:
        steps = max(1, round(fits / 2 * math.ceil(len(data.train.labels) / config["batch_size"])))
        images = max(LEAST_TEST, round(fits / 2 * len(data.test.labels)))
        timing = time_epochs(config, part_of(data, steps * config["batch_size"], images), device, 2, whole=data)
    more = max(0.0, first.setup_seconds - timing.setup_seconds)
    return dataclasses.replace(timing, checkpoint_bytes=first.checkpoint_bytes, first_seconds=more)


def part_of(data: "Data", train: int, test: int) -> "Data":
    """The same data with so many training and test images at most, and validation images in the same share as test."""
    from sweeper.data import Split

    def cut(split: "Split", n: int) -> "Split":
        return Split(split.images[:n], split.labels[:n])

    share = min(1.0, test / len(data.test.labels))
    return dataclasses.replace(
        data,
        train=cut(data.train, train),
        val=None if data.val is None else cut(data.val, max(1, round(share * len(data.val.labels)))),
        test=cut(data.test, test),
        corrupted=None if data.corrupted is None else data.corrupted[:train],
        true_labels=data.true_labels[:train],
        train_index=data.train_index[:train],
    )


def time_epochs(
    config: dict[str, Any], data: "Data", device: "Device", epochs: int, whole: "Data", stop: bool = False
) -> Timing:
    """Train so many epochs (at least 2) by the engine's loop; the first warms up and isn't counted.

    Args:
        data: `whole` or a part of it; the timing is that of an epoch of `whole`, in proportion.
        stop: break off in one epoch more, which writes a checkpoint, instead of coming to an end, which writes weights.
    """
    from sweeper.engine import Diverged, Stopped, train
    from sweeper.runs import CHECKPOINT_FILES, WEIGHTS_FILE, RunDirectory

    config = {**config, "epochs": epochs + stop, "checkpoint_every": None, "save_model": True}
    ends: list[float] = []
    rows: list[dict[str, Any]] = []
    reset_peak_memory(device.kind)
    with tempfile.TemporaryDirectory(prefix="sweeper-plan-") as folder:
        run = RunDirectory(Path(folder))
        began = time.perf_counter()
        loop = train(config, data, device, run, rows, lambda row: ends.append(time.perf_counter()), {})
        try:
            for event in loop:
                if event is not None:
                    event.synchronize()
                if stop and len(rows) == epochs:
                    loop.throw(Stopped())
        except (Stopped, Diverged):  # made labels and a high learning rate may diverge: a step takes as long
            pass
        ended = time.perf_counter()
        sizes = {name: _size(run.path / name) for name in (WEIGHTS_FILE, CHECKPOINT_FILES[0])}
    walls = [end - start for start, end in zip([began, *ends], ends, strict=False)]
    counted = slice(1, None) if len(walls) > 1 else slice(None)
    wall, training = (
        statistics.median(values[counted]) for values in (walls, [float(row["train_seconds"]) for row in rows])
    )
    images = len(whole.train.labels)
    part = len(data.train.labels) / images
    return Timing(
        train_seconds=training / part,
        other_seconds=(wall - training) * len(whole.test.labels) / len(data.test.labels),
        setup_seconds=max(0.0, walls[0] - wall) + ended - ends[-1],
        first_seconds=0.0,
        images=images,
        image=whole.image_shape,
        memory_bytes=peak_memory_bytes(device.kind),
        weights_bytes=sizes[WEIGHTS_FILE],
        checkpoint_bytes=len(CHECKPOINT_FILES) * sizes[CHECKPOINT_FILES[0]],  # the one before is kept, too
        part=part,
        data=whole.form,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pack(configs: list[dict[str, Any]], device: "Device", runs: int) -> tuple[int, float]:
    """How many of `runs` runs `lanes=auto` puts side by side on this GPU, and how many times as fast they then are
    in total as one after another, by the launcher's own trial."""
    from sweeper.lanes import Lanes
    from sweeper.places import Cuda

    lanes: Lanes[None]
    with tempfile.TemporaryDirectory(prefix="sweeper-plan-") as folder:
        starts = [
            (k, functools.partial(_until_tried, config, Path(folder) / str(k), device, lambda: lanes.gain is not None))
            for k, config in enumerate(itertools.islice(itertools.cycle(configs), runs))
        ]
        lanes = Lanes(iter(starts), Cuda(), "auto")
        lanes.run()
    return lanes.limit, lanes.gain or 1.0


def _until_tried(
    config: dict[str, Any], folder: Path, device: "Device", tried: Callable[[], bool]
) -> Generator[Any, None, None]:
    """A run that goes on as long as the trial needs it."""
    from sweeper.engine import train
    from sweeper.runs import RunDirectory

    config = {**config, "epochs": 1000, "checkpoint_every": 1000}
    if tried():
        return
    for event in train(config, _load(config), device, RunDirectory(folder), [], lambda row: None, {}):
        if tried():
            return
        yield event


if __name__ == "__main__":
    sys.exit(main())
