"""`hydra/launcher=ray`: connects to a Ray cluster, and checks before a sweep that it has what a run needs.

Hydra's launcher then uses this connection.
"""

import logging
import os
import socket
from typing import Any

from sweeper.system import module_path
from sweeper.system.errors import BadInput, RunFailed, first_line, install
from sweeper.system.module_path import is_installed
from sweeper.train.launchers.interface import Launcher, Options

FOLDER = "SWEEPER_FOLDER"


class Ray(Launcher):
    """Trains each run as a task of a Ray cluster."""

    name = "ray"
    target = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
    install = install("ray")
    elsewhere = True

    def prepare(self, options: Options) -> None:
        connect(options)

    def threads(self, options: Options) -> int:
        """The CPUs that Ray reserves for a run."""
        return max(1, int(options["ray"]["remote"].get("num_cpus") or 1))

    def has_lost_a_process(self, error: BaseException | None) -> bool:
        return type(error).__name__ == "WorkerCrashedError"  # Ray's, which may be missing


def connect(launcher: Options) -> None:
    """Connect this process to the cluster, or start one on this machine.

    Args:
        launcher: the options of `hydra.launcher`.

    Raises:
        BadInput: Ray is missing, no cluster answers, or no node has what a run needs.
    """
    if not all(map(is_installed, ("ray", "hydra_plugins.hydra_ray_launcher"))):
        raise BadInput(f"hydra/launcher=ray: Ray or Hydra's launcher for it is missing; {install('ray')}")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's future default; without it Ray warns
    import ray

    options = dict(launcher["ray"]["init"])
    # Otherwise workers start in the folder in which their node was started, and can't import this command's modules.
    surroundings = {FOLDER: os.getcwd(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    surroundings[module_path.VARIABLE] = os.environ.get(module_path.VARIABLE, "")
    environment = {"env_vars": surroundings, "worker_process_setup_hook": "sweeper.train.launchers.ray.enter_folder"}
    options.setdefault("runtime_env", environment)
    address = options.get("address")
    try:
        _knock(str(address or "").removeprefix("ray://"))
        if not ray.is_initialized():
            ray.init(**{"logging_level": logging.ERROR, **options})
    except Exception as error:  # gRPC, sockets and Ray raise different ones
        reason = first_line(error)
        if address is None:
            raise BadInput(f"hydra.launcher.ray.init: Ray doesn't start on this machine ({reason})") from error
        where = f"hydra.launcher.ray.init.address={address}"
        raise BadInput(f"{where}: no Ray cluster answers ({reason}); null starts one on this machine") from error
    try:
        _check(launcher["ray"]["remote"], [node["Resources"] for node in ray.nodes() if node["Alive"]])
    except BadInput:
        ray.shutdown()
        raise


def _knock(address: str) -> None:
    """Raise OSError if nothing listens at `address`: Ray would wait long and then end the process."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def enter_folder() -> None:
    """Change to the command's working folder, to which paths are relative. A worker calls it before its first run."""
    folder = os.environ[FOLDER]
    if not os.path.isdir(folder):
        raise RunFailed(f"{folder}: this node doesn't see the folder; start the sweep in one that all nodes share")
    os.chdir(folder)


def _check(needed: dict[str, Any], nodes: list[dict[str, float]]) -> None:
    """Refuse resources that no node has: Ray would wait for them forever."""
    for option, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        most = max((node.get(resource, 0) for node in nodes), default=0)
        if (wanted := needed.get(option) or 0) > most:
            asked = f"hydra.launcher.ray.remote.{option}={wanted:g}"
            raise BadInput(f"{asked}: no node of the cluster has so many; the most is {most:g}")
