"""What holds for a launcher that says nothing about itself."""

from concurrent.futures.process import BrokenProcessPool

from sweeper.train import threads
from sweeper.train.launchers.interface import Launcher, Measured


def test_one_run_after_the_other_in_this_process(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    launcher = Launcher()
    launcher.check({})
    launcher.prepare({})
    assert launcher.at_a_time({}) == 1 and launcher.threads({}) == 8
    assert not launcher.elsewhere and not launcher.cancels
    assert launcher.advice({}, [{}], 1) is launcher.turns(Measured(1, 0, 1, 1.0)) is None


def test_a_broken_pool_has_lost_a_process():
    assert Launcher().has_lost_a_process(BrokenProcessPool())
    assert not Launcher().has_lost_a_process(ValueError()) and not Launcher().has_lost_a_process(None)


def test_threads_follow_from_the_processes(monkeypatch):
    class Four(Launcher):
        def at_a_time(self, options):
            return 4

    monkeypatch.setattr(threads, "cores", lambda: 8)
    assert Four().threads({}) == 2
