"""`basic`: one run after the other in the command's process."""

from sweeper.config.grid import compose_grid
from sweeper.train import threads
from sweeper.train.launchers.basic import Basic
from sweeper.train.launchers.registry import find_launcher


def test_a_run_has_the_machine_for_itself(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    options = compose_grid(["-m", "dataset=digits", "hydra/launcher=basic"]).launcher_options
    launcher = find_launcher(options)
    assert isinstance(launcher, Basic)
    launcher.check(options)
    assert launcher.at_a_time(options) == 1 and launcher.threads(options) == 8
    assert launcher.advice(options, [{"device": {"kind": "cuda", "threads": None}}] * 2, 2) is None
