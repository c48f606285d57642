"""What Hydra calls for each run, and how Hydra is called."""

import pickle

import pytest
from conftest import TINY, run_module

from sweeper.train.task import Task


def test_a_copy_in_another_process_carries_nothing_of_the_sweep():
    copy = pickle.loads(pickle.dumps(Task(numbers={1, 2}, search=lambda launch: [])))
    assert isinstance(copy, Task) and copy.numbers is None and copy.search is None


@pytest.mark.slow
def test_what_hydra_cannot_do_is_a_line_and_a_traceback_where_it_is_asked_for(tmp_path):
    broken = ("+hydra.callbacks.mine._target_=no_such_package.Callback", "model=mlp", *TINY)
    done = run_module("train", *broken, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "no_such_package" in last and last.endswith("HYDRA_FULL_ERROR=1 shows where")
    asked = run_module("train", *broken, cwd=tmp_path, HYDRA_FULL_ERROR="1")
    assert asked.returncode == 1 and "Traceback" in asked.stderr
