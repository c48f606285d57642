"""What Hydra keeps of a run until the sweep's end is small."""

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from sweeper.config.grid import CONF
from sweeper.train.callbacks import ForgetConfigurations


def test_a_runs_configurations_are_forgotten_at_its_end():
    config = OmegaConf.create({"a": 1})
    job = JobReturn(overrides=["a=1"], cfg=config, hydra_cfg=config)
    ForgetConfigurations().on_job_end(config, job)
    assert (job.cfg, job.hydra_cfg, job.overrides) == (None, None, ["a=1"])
    callbacks = OmegaConf.load(CONF / "config.yaml").hydra.callbacks
    assert [callback._target_ for callback in callbacks.values()] == ["sweeper.train.callbacks.ForgetConfigurations"]
