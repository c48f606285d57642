"""Stands in for CUDA graphs on the CPU: what is recorded is run again, with the options that it was recorded with."""

import pytest
import torch

from sweeper.engine import training
from sweeper.engine.devices import Device
from sweeper.engine.graphs import WHOLE, GraphedStep, Recording
from sweeper.engine.pace import Pace
from sweeper.engine.results import EpochResults


class PlayedGraph:
    """Like a CUDA graph it doesn't see the options that the optimizer's groups get later."""

    def __init__(self, step, rates, size):
        self.step, self.rates, self.size = step, rates, size
        self.options = [self.options_of(group) for group in step.optimizer.param_groups]

    @staticmethod
    def options_of(group):
        return {key: value for key, value in group.items() if key not in ("params", "lr")}

    def replay(self):
        groups = self.step.optimizer.param_groups
        now = [self.options_of(group) for group in groups]
        for group, recorded in zip(groups, self.options, strict=True):
            group.update(recorded)
        with self.rates.in_tensors():
            self.rates.current.fill_(float("nan"))  # it looks them up
            self.step.run_alone(self.size)
        for group, options in zip(groups, now, strict=True):
            group.update(options)


class PlayedStep(GraphedStep):
    def _try_out(self, size):
        return WHOLE

    def _record(self, size):
        if self.tier == WHOLE:
            draws = any(isinstance(module, torch.nn.Dropout) for module in self.step.model.modules())
            self._recordings[size] = Recording(PlayedGraph(self.step, self.rates, size), None, draws)


@pytest.fixture(name="set_burst")
def graphs_on_the_cpu(monkeypatch):
    """`set_burst(steps, arrives)`: from here on a run on the CPU replays bursts of so many steps.

    Args:
        arrives: whether an epoch's results are there at the first question; else only at a wait for them.
    """
    monkeypatch.setattr(Device, "graphs", True)
    monkeypatch.setattr(training, "GraphedStep", PlayedStep)
    monkeypatch.setattr("sweeper.engine.evaluate.never_waits", lambda work: False)

    def set_burst(steps, arrives=True):
        monkeypatch.setattr(Pace, "burst", property(lambda self: steps, lambda self, value: None), raising=False)
        monkeypatch.setattr(EpochResults, "arrived", lambda self: arrives)

    return set_burst
