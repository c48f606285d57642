"""Validates a launcher's options."""

import importlib.util
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.system.errors import BadInput, install

_PLUGIN = "hydra_plugins.sweeper_slurm_launcher."


def is_slurm(launcher: dict[str, Any]) -> bool:
    """Whether a launcher's options are those of `hydra/launcher=slurm`."""
    return launcher.get("_target_") == f"{_PLUGIN}SlurmLauncher"


def check_options(launcher: dict[str, Any]) -> None:
    """Validate the options of `slurm` and `slurm_local`; those of other launchers are skipped.

    Raises:
        BadInput: the package that they need isn't installed, or a number is out of its range.
    """
    target = str(launcher.get("_target_"))
    if not target.startswith(_PLUGIN):
        return
    if not _is_installed():
        name = "slurm" if is_slurm(launcher) else "slurm_local"
        raise BadInput(f"hydra/launcher={name}: its package isn't installed; {install('slurm')}")
    least = {"timeout_min": 1, "cpus_per_task": 1, "mem_gb": 1, "array_parallelism": 1}
    for key, at_least in {**least, "gpus_per_node": 0, "signal_delay_s": 0, "max_num_timeout": 0}.items():
        if (value := launcher.get(key)) is not None and value < at_least:
            raise BadInput(f"hydra.launcher.{key}={value}: must be at least {at_least}")
    if (delay := launcher.get("signal_delay_s", 0)) >= 60 * launcher["timeout_min"]:
        limit = f"hydra.launcher.timeout_min={launcher['timeout_min']}"
        raise BadInput(
            f"hydra.launcher.signal_delay_s={delay}: a run would be warned as it starts; must be less than {limit}"
        )


def _is_installed() -> bool:
    return importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None


def _launcher_options(launcher: DictConfig) -> dict[str, Any]:
    """The launcher's options before any run is known: an interpolation of a run's value stays unresolved."""
    options: dict[str, Any] = {}
    for key in launcher:
        try:
            options[str(key)] = launcher[key]
        except OmegaConfBaseException:
            options[str(key)] = OmegaConf.to_container(launcher, resolve=False)[key]  # type: ignore[index]
    return options


def _check_launcher(launcher: dict[str, Any]) -> None:
    check_options(launcher)
    n_jobs, lanes = launcher.get("n_jobs"), launcher.get("lanes")
    if n_jobs is not None and (not _is_integer(n_jobs) or n_jobs == 0):
        raise BadInput(f"hydra.launcher.n_jobs={n_jobs}: must be the number of parallel runs; -1 is one a core")
    if "lanes" in launcher and lanes != "auto" and (not isinstance(lanes, int) or isinstance(lanes, bool) or lanes < 1):
        raise BadInput(f"hydra.launcher.lanes={lanes}: must be auto, or the number of runs at a time on a GPU, from 1")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
