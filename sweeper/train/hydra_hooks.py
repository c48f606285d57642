"""Takes over from Hydra: a sweep's folder, a run's log, `train.log`, whose failed write never fails the run, what a run
raised, and what is kept of it."""

import logging
import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sweeper.runs.layout import HYDRAS_SWEEP_FILE
from sweeper.system.files import make_folder
from sweeper.system.terminal import tell


def begin_sweep(config: DictConfig) -> None:
    """Make the folder of a sweep with its configuration, as Hydra's own sweepers do."""
    folder = Path(config.hydra.sweep.dir)
    make_folder(folder)
    OmegaConf.save(config, folder / HYDRAS_SWEEP_FILE)


def result_of(job: JobReturn) -> Any:
    """What the run returned, or the error that it raised; `job.return_value` prints a line of Hydra's before that."""
    if job.status is JobStatus.FAILED:
        raise job._return_value
    return job.return_value


class ForgetConfigurations(Callback):
    """Frees memory: drops the two copies of every run's configuration that Hydra keeps until the sweep's end."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        job_return.cfg = job_return.hydra_cfg = None


class RunLog(logging.FileHandler):
    """The log handler of Hydra's `job_logging`. Lines that can't be written, e.g. on a full disk, are dropped,
    which the console reports once."""

    _said = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)  # opens the file at the first record
        except OSError as error:
            self._leave_out(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._leave_out(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:  # of the last lines
            self._leave_out(error)

    def _leave_out(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            tell(f"{self.baseFilename}: {error.strerror}; the log is left out")
