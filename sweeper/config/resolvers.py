"""OmegaConf resolvers that conf/ uses: a run's directory, how many runs train at a time, and what one run needs.

Importing this module registers them, which a launcher's worker needs too.
"""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.config.hydra_versions import register_resolver
from sweeper.config.resolved import resolve_once
from sweeper.runs.identity import run_name
from sweeper.runs.record import recorded_status
from sweeper.system.machine import likely_kind, parallel_runs
from sweeper.system.paths import given_path


def _config(root: DictConfig) -> dict[str, Any]:
    return resolve_once(root, root.hydra.runtime.choices)


def _run_name(*, _root_: DictConfig) -> str:
    return run_name(_config(_root_))


def _hydra_folder(*, _root_: DictConfig) -> str | None:
    """`.hydra`, or None for a finished run, so that Hydra doesn't overwrite the record of how it was made."""
    config = _config(_root_)
    status = recorded_status(Path(config["outputs"]) / run_name(config))
    return None if status is not None and status.finished and not config["rerun"] else ".hydra"


def _parallel_runs(*, _root_: DictConfig) -> int:
    return parallel_runs(_root_.device.kind, _root_.device.threads)


def _threads_a_run(*, _root_: DictConfig) -> int:
    return int(_root_.device.threads or 1)


def _gpus_a_run(*, _root_: DictConfig) -> int:
    return 1 if likely_kind(_root_.device.kind) == "cuda" else 0


register_resolver("sweeper.given_path", lambda path: str(given_path(path)))
register_resolver("sweeper.run_name", _run_name)
register_resolver("sweeper.hydra_folder", _hydra_folder)
register_resolver("sweeper.parallel_runs", _parallel_runs)
register_resolver("sweeper.threads_a_run", _threads_a_run)
register_resolver("sweeper.gpus_a_run", _gpus_a_run)
