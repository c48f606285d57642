"""Runs are handed to a launcher again after a process died, and none that ended in this command comes twice."""

from concurrent.futures.process import BrokenProcessPool

import pytest
from conftest import TINY

from sweeper.config.grid import compose_grid
from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import recorded_status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import RunFailed
from sweeper.train.launchers.joblib import Joblib
from sweeper.train.launches import Launches
from tests.train.test_deaths import die


@pytest.fixture
def cells(tmp_path):
    return compose_grid(["-m", *TINY, "seed=1,2,3", f"outputs={tmp_path}"]).cells


def test_the_rest_is_launched_again_without_what_failed(cells, tmp_path):
    launched = []

    def start(ended):
        launched.append(ended)
        if len(launched) == 1:
            die(cells[1])
            raise RunFailed("a process died") from BrokenProcessPool()

    Launches(cells, Joblib(), SweepStop(tmp_path / "stop")).launch(start)
    assert launched == [[], [cells[1].directory]]


def test_a_launch_that_breaks_without_any_run_ends(cells, tmp_path):
    def start(ended):
        raise BrokenProcessPool

    with pytest.raises(BrokenProcessPool):
        Launches(cells, Joblib(), SweepStop(tmp_path / "stop")).launch(start)


def dies_in(cell, launched):
    def start(ended):
        launched.append(ended)
        if len(launched) == 1:
            die(cell)
            raise RunFailed("a process died") from BrokenProcessPool()

    return start


def test_a_run_that_an_earlier_command_left_failed_is_tried_and_one_that_failed_now_is_not(cells, tmp_path):
    def fail(cell):
        RunDirectory(cell.directory).write_run("failed", cell.config, {})

    fail(cells[0])
    launches, launched = Launches(cells, Joblib(), SweepStop(tmp_path / "stop")), []
    start = dies_in(cells[1], launched)

    def fail_and_start(ended):
        if not launched:
            fail(cells[2])
        start(ended)

    launches.launch(fail_and_start)
    assert launched == [[], [cells[1].directory, cells[2].directory]]


def test_fail_fast_begins_nothing_more_and_a_stop_that_was_asked_for_ends_it(cells, tmp_path):
    for cell in cells:
        cell.config["fail_fast"] = True
    launched, stop = [], SweepStop(tmp_path / "fast")
    Launches(cells, Joblib(), stop).launch(dies_in(cells[0], launched))
    assert len(launched) == 1 and stop.reason() == "failed"
    launched.clear()
    with pytest.raises(RunFailed):
        Launches(cells, Joblib(), SweepStop(stop.path)).launch(dies_in(cells[1], launched))
    assert len(launched) == 1


def test_a_process_that_a_signal_to_all_ended_is_no_failure(cells, tmp_path):
    """It had not begun to handle signals."""
    stop = SweepStop(tmp_path / "stop")

    def start(ended):
        die(cells[0])
        stop.request("interrupted")
        raise RunFailed("a process died") from BrokenProcessPool()

    Launches(cells, Joblib(), stop).launch(start)
    assert recorded_status(cells[0].directory) == "running"


def test_an_error_of_the_launchers_own_is_passed_on(cells, tmp_path):
    def start(ended):
        raise ValueError("no such launcher")

    with pytest.raises(ValueError, match="no such launcher"):
        Launches(cells, Joblib(), SweepStop(tmp_path / "stop")).launch(start)
