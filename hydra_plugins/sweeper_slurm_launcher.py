"""`hydra/launcher=slurm`: hydra-submitit-launcher's, its queue asked as a sweep needs it; `slurm_local` for trying.

Hydra imports every module of `hydra_plugins` in every program that uses it, so this one imports nothing heavy, and does
without that package: only choosing the launcher needs it.
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
    """What both choices know; conf/ says each one's meaning and value."""

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
        """The same without Slurm: each run a process of this machine, all at once."""
