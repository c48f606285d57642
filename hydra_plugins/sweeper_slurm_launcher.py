"""`hydra/launcher=slurm` and `slurm_local`: hydra-submitit-launcher, with our own way of watching Slurm's queue.

Hydra imports every module of `hydra_plugins` in every program that uses Hydra, so this module imports nothing slow.
hydra-submitit-launcher may be missing until one of the launchers is chosen.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from omegaconf import MISSING


@dataclass
class LocalConf:
    """The types of the options that both launchers have; conf/ has their values and explains them."""

    _target_: str = MISSING
    submitit_folder: str = MISSING
    timeout_min: int = MISSING
    cpus_per_task: int | None = MISSING
    gpus_per_node: int | None = MISSING
    mem_gb: int | None = MISSING
    name: str = MISSING
    stderr_to_stdout: bool = MISSING


@dataclass
class SlurmConf(LocalConf):
    partition: str | None = MISSING
    account: str | None = MISSING
    qos: str | None = MISSING
    constraint: str | None = MISSING
    gres: str | None = MISSING
    array_parallelism: int = MISSING
    signal_delay_s: int = MISSING
    max_num_timeout: int = MISSING
    setup: list[str] | None = MISSING
    additional_parameters: dict[str, Any] = field(default_factory=dict)


for _name, _node in (("slurm_schema", SlurmConf), ("slurm_local_schema", LocalConf)):
    ConfigStore.instance().store(group="hydra/launcher", name=_name, node=_node, provider="sweeper")

if importlib.util.find_spec("submitit") and importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher"):
    from hydra_plugins.hydra_submitit_launcher import submitit_launcher

    class SlurmLauncher(submitit_launcher.SlurmLauncher):
        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from sweeper.train.launchers.slurm_queue import wait_in_queue

            wanted = getattr(self.task_function, "numbers", None)
            numbered = enumerate(job_overrides, initial_job_idx)
            queued = [overrides for number, overrides in numbered if wanted is None or number in wanted]
            if not queued:
                return []
            return wait_in_queue(lambda: super(SlurmLauncher, self).launch(queued, initial_job_idx))

    class SlurmLocalLauncher(submitit_launcher.LocalLauncher):
        """Trains each run in a process on this machine, all at the same time, without Slurm."""
