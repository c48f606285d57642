"""Facts that `sweeper.doctor` collects without torch: versions, machine, the outputs folder, data sets, packages."""

import os
import platform
import shlex
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sweeper import __version__
from sweeper.datasets.facts import PUBLISHED, download_command, is_present
from sweeper.plan.estimate import kept_bytes
from sweeper.runs.access import LEAST_FREE, existing_folder, free_bytes
from sweeper.system.files import PACKAGE, say_what_failed
from sweeper.system.machine import cores, memory
from sweeper.system.module_path import is_installed

LIBRARIES = ("torch", "torchvision", "numpy", "hydra-core", "omegaconf", "pandas")
# For each extra the packages that show that it is installed, and its purpose.
EXTRAS = {
    "optimizers": ("pytorch_optimizer schedulefree", "optimizer=soap, adan, lamb, prodigy, schedule_free_*, any"),
    "tune": ("optuna", "experiment=search"),
    "slurm": ("submitit", "hydra/launcher=slurm"),
    "ray": ("ray", "hydra/launcher=ray"),
    "parquet": ("pyarrow", "results.parquet, and dataset=folder of Parquet files"),
    "hub": ("datasets", "dataset=hub"),
    "nvidia": ("pynvml", "a GPU's memory and load in sweeper.watch, energy_kwh"),
    "tensorboard": ("tensorboard", "tracking=tensorboard"),
    "mlflow": ("mlflow", "tracking=mlflow"),
    "trackio": ("trackio", "tracking=trackio"),
    "wandb": ("wandb", "tracking=wandb"),
}
WRITTEN = 64 * 2**20  # bytes that are written to time the disk
GRID_RUNS, GRID_EPOCHS = 15, 200  # of experiment=grid with cifar10
RESNET18_BYTES = 44_800_000  # its weights; a checkpoint holds up to three times as much
GUIDE_BYTES, GUIDE_BATCH = 4e9, 128  # memory and batch size of ResNet-18 on an M2, as users report


def find(outputs: Path) -> dict[str, Any]:
    """What can be found without torch, by its field in the document. A new check is a function and a field here.

    Args:
        outputs: the folder of all runs, which needn't exist.
    """
    return {
        "versions": versions(),
        "machine": machine(),
        "outputs": outputs_folder(outputs),
        "datasets": datasets(),
        "extras": extras(),
    }


def versions() -> dict[str, str | None]:
    """The versions of sweeper, Python, the system and the libraries; None if not installed."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    found: dict[str, str | None] = {"sweeper": __version__, "python": platform.python_version(), "system": system}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """The cores that this process may use, and the bytes of memory in total and available."""
    total, available = memory()
    return {"cores": cores(), "memory_bytes": total, "memory_available_bytes": available}


def batch_size_for(memory_bytes: float) -> int:
    """The batch size, a power of 2 from 8 to 256, with which ResNet-18 on 32×32 images needs half of this memory.

    By users' reports; 256 is that for an M3 Max. More is hardly faster and changes the training.

    >>> batch_size_for(8e9), batch_size_for(36e9)
    (128, 256)
    """
    fits = memory_bytes / 2 * GUIDE_BATCH / GUIDE_BYTES
    return next((size for size in (256, 128, 64, 32, 16) if size <= fits), 8)


def outputs_folder(outputs: Path) -> dict[str, Any]:
    """Check whether runs can be written to a folder, how fast, and how much space is free; leaves no files.

    Returns:
        error: None, or one line: what is wrong and what to do.
        write_bytes_per_second: None if unknown.
        grid_bytes, grid_with_weights_bytes: what experiment=grid with cifar10 leaves, by default and with
            save_model=true.
    """
    folder = existing_folder(outputs.absolute())
    found: dict[str, Any] = {
        "path": str(outputs),
        "error": None,
        "free_bytes": None,
        "write_bytes_per_second": None,
        "grid_bytes": kept_bytes([(GRID_EPOCHS, 0)] * GRID_RUNS),
        "grid_with_weights_bytes": kept_bytes([(GRID_EPOCHS, RESNET18_BYTES)] * GRID_RUNS),
        "checkpoints_bytes": 2 * 3 * RESNET18_BYTES,
    }
    try:
        found["free_bytes"] = free = free_bytes(folder)
        if free < LEAST_FREE:
            found["error"] = f"only {free / 2**20:.0f} MiB are free; make room, or choose another folder by outputs=DIR"
        else:
            found["write_bytes_per_second"] = _write_speed(folder, min(WRITTEN, free // 4))
    except OSError as error:
        found["error"] = f"can't be written ({error.strerror or say_what_failed(error)}); choose another by outputs=DIR"
    return found


def _write_speed(folder: Path, size: int) -> float:
    """The bytes per second of a write, until it is on the disk."""
    block = os.urandom(2**20)
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        began = time.perf_counter()
        for _ in range(max(1, size // len(block))):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return file.tell() / (time.perf_counter() - began)


def datasets() -> list[dict[str, Any]]:
    """The published data sets by name: whether they are present, and the command that downloads them."""
    found = []
    for loader, published in PUBLISHED.items():
        present, name = is_present({"loader": loader, "root": None}), loader.rpartition(".")[2]
        command = None if present else download_command(name)
        found.append({"name": name, "present": present, "megabytes": published.megabytes, "command": command})
    return found


def extras() -> list[dict[str, Any]]:
    """The optional packages: their purpose, whether they are installed, and the command that installs them."""
    clone = PACKAGE.parent
    here = "." if clone == Path.cwd() else str(clone)
    package = here if (clone / "pyproject.toml").is_file() else "optimizer-sweeper"
    return [
        {
            "name": name,
            "present": all(map(is_installed, modules.split())),
            "purpose": purpose,
            "command": f"pip install {shlex.quote(f'{package}[{name}]')}",
        }
        for name, (modules, purpose) in EXTRAS.items()
    ]
