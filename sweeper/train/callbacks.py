"""The callback that Hydra calls at each run's end."""

from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class ForgetConfigurations(Callback):
    """Frees memory: drops the two copies of every run's configuration that Hydra keeps until the sweep's end."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        job_return.cfg = job_return.hydra_cfg = None
