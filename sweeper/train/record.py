"""Builds the parts of `run.json` besides the configuration: the run's environment and its result."""

import contextlib
import os
import platform
import socket
import subprocess
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sweeper import __version__
from sweeper.datasets.data import Data
from sweeper.engine.devices import Device, peak_memory_bytes
from sweeper.engine.numerics import carry_over, describe
from sweeper.runs.metrics import figures
from sweeper.runs.own_code import CODE, own_code
from sweeper.runs.status import Status
from sweeper.system.files import PACKAGE
from sweeper.system.paths import relative


def describe_environment(
    config: dict[str, Any],
    directory: Path,
    device: Device,
    data: Data,
    overrides: list[str],
    earlier: dict[str, Any] | None,
) -> dict[str, Any]:
    """The versions, device and data of a run, and the overrides that repeat it.

    Args:
        earlier: the run's earlier record, or None.
    """
    numerics = describe(device)
    versions = {"sweeper": __version__, "python": platform.python_version(), "torch": torch.__version__}
    for name in ("torchvision", "hydra-core", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    environment = {
        "versions": versions,
        **{name: numerics.pop(name) for name in ("device", "device_name", "precision", "threads")},
        **({CODE: code} if (code := own_code(config)) else {}),  # a hash of each module of the user's own
        "commit": _commit(),  # of the git clone that contains sweeper; without a clone SWEEPER_COMMIT, or null
        "data_digest": data.digest,  # SHA-256 of all images and labels, whatever the files' format
        "data_form": with_relative_root(data.form, config["dataset"]["root"], directory),
        **({"data_files": data.files} if data.files else {}),  # how many files were read, and which weren't
        "image_shape": list(data.image_shape),
        "num_classes": len(data.classes),
        "test_images": len(data.test.labels),
        "host": socket.gethostname() if config["record_host"] else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),  # UTC; when the run started or resumed
        "overrides": overrides,  # those that repeat this run
        **numerics,
    }
    carry_over(environment, directory, earlier)
    return environment


def with_relative_root(form: str, root: str | None, directory: Path) -> str:
    """What was read, and from where: a folder as seen from the run's directory.

    >>> with_relative_root("images in /data/set", "/data/set", Path("/data/outputs/task/run"))
    'images in ../../../set'
    """
    return form.removesuffix(root) + relative(root, directory) if root and form.endswith(root) else form


# What git sets for its hooks and for a command of `git rebase --exec`: another repository, or another index, than that
# of the folder which `-C` names.
_OF_A_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"}


@cache
def _commit() -> str | None:
    """The commit of the git clone that contains sweeper, with `-dirty` if files differ from it, when this process asked
    first: it runs the modules that it has imported, whatever is committed later.

    Without a clone, as in a container, the value of the environment variable SWEEPER_COMMIT; None if it isn't set.
    """
    here = PACKAGE.parent
    if not (here / ".git").exists():
        return os.environ.get("SWEEPER_COMMIT") or None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    plain = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True, env=plain
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def summarize_rows(
    rows: list[dict[str, Any]], config: dict[str, Any], environment: dict[str, Any], status: Status, shared: bool | None
) -> dict[str, Any]:
    """A run's result: the figures of its rows, the peak memory, and whether the device was shared."""
    return {
        **figures(rows, config["target_accuracy"], status),
        "peak_memory_bytes": peak_memory_bytes(environment["device"]) if "device" in environment else None,
        "shared_device": shared,
    }
