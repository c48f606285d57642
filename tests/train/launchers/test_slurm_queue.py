"""A sweep's jobs in Slurm's queue, as a made-up `squeue` shows them; a real one is in tests/clusters/."""

import importlib.util
import os
import time

import pytest

from tests.train.launchers.test_slurm import commands


@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="needs the extra `slurm`")
def test_the_queue_tells_which_jobs_have_ended(monkeypatch, tmp_path):
    from sweeper.train.launchers.slurm_queue import Queue

    commands(tmp_path, squeue="echo '7_0|RUNNING'; echo '7_1|CANCELLED'; echo '7_2|PENDING'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    queue = Queue()
    for k in range(4):  # the last is forgotten already
        queue.register_job(f"7_{k}")
    assert [queue.is_done(f"7_{k}", mode="force") for k in range(4)] == [False, True, False, True]
    commands(tmp_path, squeue="echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    assert not queue.is_done("7_0", mode="force")
    time.sleep(0.01)  # submitit takes no two questions within a millisecond
    commands(tmp_path, squeue="echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert queue.is_done("7_0", mode="force")
