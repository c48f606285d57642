"""Times an epoch of a configuration by the engine's loop, on as much of the data as the given time allows."""

import dataclasses
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.engine.devices import Device, peak_memory_bytes, reset_peak_memory
from sweeper.system.temporary_folder import temporary_folder

if TYPE_CHECKING:
    from sweeper.datasets.data import Data, Split

FIRST_STEPS, FIRST_BATCH, FIRST_TEST = 2, 16, 20  # of `time_first`
LEAST_TEST = 100  # least images to evaluate if a whole epoch takes too long
LEAST_EPOCHS, MOST_EPOCHS = 3, 20  # numbers of whole epochs to time


@dataclasses.dataclass(frozen=True)
class Timing:
    """The cost of an epoch of a configuration, and of a run besides its epochs.

    Attributes:
        train_seconds: training in an epoch.
        other_seconds: everything else in an epoch: evaluation, drawing the order, writing the metrics.
        setup_seconds: per run, once the data are in memory: building, the first step, the last files.
        first_seconds: in addition, for the first run of its kind in a process: kernels are chosen, and loaded or built.
        images: training images per epoch.
        image: (channels, height, width).
        memory_bytes: the device's peak; on the CPU, the process's.
        weights_bytes: of `model.safetensors`; 0 if `save_model` is false.
        checkpoint_bytes: of `checkpoint.pt`.
        part: the share of the epoch that was timed, in (0, 1].
        data: a description in one line.
        watts: the mean power of the GPU while it was timed; None if not known.
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
    watts: float | None = None

    @property
    def epoch_seconds(self) -> float:
        return self.train_seconds + self.other_seconds


def time_first(config: dict[str, Any], data: "Data", device: Device) -> Timing:
    """A rough timing by a few small steps, from which `time_within` chooses what to time; and a checkpoint's size."""
    config = {**config, "batch_size": min(FIRST_BATCH, config["batch_size"])}
    part = part_of(data, FIRST_STEPS * config["batch_size"], FIRST_TEST)
    return time_epochs(config, part, device, epochs=2, whole=data, stop=True)


def time_within(seconds: float, config: dict[str, Any], data: "Data", device: Device, first: Timing) -> Timing:
    """Time whole epochs if a few of them fit into `seconds`, else a part of an epoch, at least one step.

    The small steps of `first` say little about a GPU's large ones. So if whole epochs seem too long, a part is timed
    first, and whole epochs after it if they fit after all. Otherwise, if steps are quick, one more step is timed: the
    last of these runs gives the set-up time of any run, and the difference to the one before it is the warm-up of the
    first run of its kind in a process.

    Args:
        first: the rough timing, by which to estimate an epoch.
    """
    from sweeper.engine.training import batch_sizes

    runs, fits = [first], seconds / first.epoch_seconds
    batches = len(batch_sizes(len(data.train.labels), config["batch_size"], bool(config["drop_last"])))
    if fits < LEAST_EPOCHS:
        steps, images = max(1, round(fits / 2 * batches)), max(LEAST_TEST, round(fits / 2 * len(data.test.labels)))
        part = part_of(data, steps * config["batch_size"], images)
        runs.append(time_epochs(config, part, device, 2, whole=data))
        fits = seconds / runs[-1].epoch_seconds
    timing = runs[-1]
    if fits >= LEAST_EPOCHS:
        timing = time_epochs(config, data, device, min(int(fits), MOST_EPOCHS), whole=data)
        runs.append(timing)
    elif 2 * timing.train_seconds / batches < timing.setup_seconds:  # otherwise a step takes longer than the set-up
        runs.append(time_epochs(config, part_of(data, config["batch_size"], LEAST_TEST), device, 2, whole=data))
    return dataclasses.replace(
        timing,
        checkpoint_bytes=first.checkpoint_bytes,
        setup_seconds=runs[-1].setup_seconds,
        first_seconds=max(0.0, runs[-2].setup_seconds - runs[-1].setup_seconds),
    )


def part_of(data: "Data", train: int, test: int) -> "Data":
    """The data with at most so many training and test images, and the same share of validation as of test images."""
    from sweeper.datasets.data import Split

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
    config: dict[str, Any], data: "Data", device: Device, epochs: int, whole: "Data", stop: bool = False
) -> Timing:
    """Train `epochs` epochs (at least 2) by the engine's loop; the first one is the warm-up and isn't counted.

    Args:
        data: `whole` or a part of it; the timing is scaled to an epoch of `whole`.
        stop: stop in an additional epoch, which writes a checkpoint, instead of finishing the run, which writes weights
            if the configuration asks for them.
    """
    from sweeper.engine.loop import Diverged, Stopped, train
    from sweeper.engine.training import batch_sizes
    from sweeper.runs.directory import RunDirectory
    from sweeper.runs.layout import CHECKPOINT_FILES, WEIGHTS_FILE

    config = {**config, "epochs": epochs + stop, "checkpoint_every": None}
    ends: list[float] = []
    rows: list[dict[str, Any]] = []
    reset_peak_memory(device.kind)
    with temporary_folder("sweeper-plan-") as folder:
        run = RunDirectory(folder)
        began = time.perf_counter()
        loop = train(config, data, device, run, rows, lambda row: ends.append(time.perf_counter()), {})
        try:
            for turn in loop:
                turn.wait()
                if stop and len(rows) == epochs:
                    loop.throw(Stopped())
        except (Stopped, Diverged):  # random labels may diverge, and steps take as long
            pass
        ended = time.perf_counter()
        sizes = {name: _size(run.path / name) for name in (WEIGHTS_FILE, CHECKPOINT_FILES[0])}
    walls = [end - start for start, end in zip([began, *ends], ends, strict=False)]
    counted = slice(1, None) if len(walls) > 1 else slice(None)
    wall, training = (
        statistics.median(values[counted]) for values in (walls, [float(row["train_seconds"]) for row in rows])
    )
    trained, images = (
        sum(batch_sizes(len(some.train.labels), config["batch_size"], bool(config["drop_last"])))
        for some in (data, whole)
    )
    part = trained / images
    return Timing(
        train_seconds=training / part,
        other_seconds=max(0.0, wall - training) * len(whole.test.labels) / len(data.test.labels),
        setup_seconds=max(0.0, walls[0] - wall) + ended - ends[-1],
        first_seconds=0.0,
        images=images,
        image=whole.image_shape,
        memory_bytes=peak_memory_bytes(device.kind),
        weights_bytes=sizes[WEIGHTS_FILE],
        checkpoint_bytes=len(CHECKPOINT_FILES) * sizes[CHECKPOINT_FILES[0]],  # the previous one is kept, too
        part=part,
        data=whole.form,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
