"""`python -m benchmarks.aggregate`: seconds and memory of `sweeper.aggregate` over 1,000, 3,000 and 10,000 runs.

Each is a finished run of 200 epochs as `sweeper.train` leaves it, in a temporary folder; the real command reads them
in a process of its own. The growth ratio is the factor in seconds over the factor in runs: 1 is linear.
"""

import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.command_line import Parser
from benchmarks.figures import write_csv
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.runs.metrics import METRICS
from sweeper.runs.status import Status

SIZES = (1_000, 3_000, 10_000)
EPOCHS = 200
OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "muon")
COLUMNS = ("runs", "seconds", "milliseconds_a_run", "peak_megabytes", "growth_ratio")


def main() -> None:
    parser = Parser("aggregate", __doc__)
    parser.add_csv()
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        outputs, made = Path(folder) / "outputs", 0
        for size in SIZES:
            for k in range(made, size):
                write_run(outputs, k)
            made = size
            seconds = measure(outputs)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
            growth = round(seconds / rows[-1]["seconds"] / (size / rows[-1]["runs"]), 3) if rows else None
            figures = (size, round(seconds, 3), round(1e3 * seconds / size, 4), round(peak), growth)
            rows.append(dict(zip(COLUMNS, figures, strict=True)))
            print("  ".join(f"{name} {value}" for name, value in rows[-1].items() if value is not None), flush=True)
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)


def measure(outputs: Path) -> float:
    """Seconds of the command as a user has it, imports included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sweeper.aggregate", outputs], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def write_run(outputs: Path, k: int) -> None:
    """The k-th run of a sweep over optimizers, learning rates and three seeds."""
    config = make_config(OPTIMIZERS[k // 3 % len(OPTIMIZERS)], seed=k % 3 + 1, lr=1e-4 * (1 + k // 15))
    random_numbers = random.Random(k)
    rows = [make_row(epoch, random_numbers) for epoch in range(1, EPOCHS + 1)]
    best = max(rows, key=lambda row: row["test_accuracy"])
    result = {
        "epochs_done": EPOCHS,
        "steps": rows[-1]["step"],
        "final_test_accuracy": rows[-1]["test_accuracy"],
        "best_test_accuracy": best["test_accuracy"],
        "best_epoch": best["epoch"],
        "final_val_accuracy": None,
        "best_val_accuracy": None,
        "final_train_loss": rows[-1]["train_loss"],
        "steps_to_target": None,
        "train_seconds": 1200.0,
        "images_per_second": 8300.0,
        "peak_memory_bytes": 2_000_000_000,
        "shared_device": False,
    }
    directory = outputs / run_name(config)
    directory.mkdir(parents=True)
    (directory / ".hydra").mkdir()
    run = QuickRunDirectory(directory)
    run.write_run(Status.COMPLETED, {**config, "outputs": str(outputs)}, ENVIRONMENT, result)
    run.write_metrics(rows)


class QuickRunDirectory(RunDirectory):
    """Doesn't wait for the disk: these runs need not outlive a power cut."""

    def _write(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)


def make_config(optimizer: str, seed: int, lr: float) -> dict[str, Any]:
    """A resolved configuration of as many values as a real one."""
    return {
        "device": {"name": "auto", "kind": "auto", "precision": "auto", "threads": None, "compile": "auto"},
        "dataset": {
            "name": "cifar10",
            "loader": "sweeper.datasets.cifar10",
            "root": None,
            "workers": None,
            "validation_fraction": 0.0,
            "train_limit": None,
            "test_limit": None,
            "image_size": None,
            "crop_padding": 4,
            "flip": True,
        },
        "model": {"name": "resnet18", "_target_": "sweeper.models.resnet18", "_partial_": True, "width": 64},
        "optimizer": {
            "name": optimizer,
            "_target_": f"torch.optim.{optimizer}",
            "_partial_": True,
            "lr": round(lr, 10),
            "betas": [0.9, 0.999],
            "weight_decay": 0.0005,
        },
        "schedule": {
            "name": "cosine",
            "_target_": "sweeper.schedules.cosine",
            "_partial_": True,
            "warmup_fraction": 0.05,
            "final_fraction": 0.0,
        },
        "noise": {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None},
        "tracking": {"name": "none"},
        "seed": seed,
        "epochs": EPOCHS,
        "batch_size": 128,
        "decay_norms_and_biases": False,
        "divergence_loss": None,
        "target_accuracy": None,
        "tag": None,
        "rerun": False,
        "fail_fast": False,
        "save_model": True,
        "checkpoint_every": 1,
        "record_host": True,
    }


ENVIRONMENT: dict[str, Any] = {
    "versions": {"sweeper": "0.1.0", "python": "3.11.7", "torch": "2.8.0", "torchvision": "0.23.0", "numpy": "2.2.0"},
    "device": "cuda",
    "device_name": "NVIDIA GPU",
    "precision": "bf16",
    "threads": 2,
    "commit": "0123456789ab",
    "data_digest": "0" * 64,
    "data_form": "torchvision's files",
    "image_shape": [3, 32, 32],
    "num_classes": 10,
    "host": "machine",
    "started": "2025-01-01T00:00:00Z",
    "overrides": ["optimizer=sgd", "seed=1"],
}


def make_row(epoch: int, random_numbers: random.Random) -> dict[str, Any]:
    """An epoch's row, with numbers of as many digits as real ones."""
    accuracy = 0.95 - 0.6 / epoch + random_numbers.uniform(-0.02, 0.02)
    loss = 2 / epoch + random_numbers.uniform(0, 0.1)
    values = (
        epoch,
        391 * epoch,
        0.1 * (1 - epoch / EPOCHS),
        loss,
        accuracy,
        accuracy,
        None,
        None,
        None,
        loss,
        accuracy,
    )
    return dict(zip(METRICS, (*values, 6.0, 8300.0), strict=True))


if __name__ == "__main__":
    main()
