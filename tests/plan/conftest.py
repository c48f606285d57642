"""`sweeper.plan` with given timings in place of its probe."""

import json
import types

import pytest
from conftest import merged
from json_schema import check

from sweeper.config import resolvers
from sweeper.plan import forecast, sides
from sweeper.plan.command import main
from sweeper.plan.probe import Probed
from sweeper.plan.timing import Timing
from sweeper.train import threads


def timing(train: float = 1.0, other: float = 0.5, **changes: object) -> Timing:
    values = {"setup_seconds": 2.0, "first_seconds": 0.0, "images": 1438, "image": (1, 8, 8), "memory_bytes": 10**9}
    values |= {"weights_bytes": 10**6, "checkpoint_bytes": 3 * 10**6, "part": 1.0, "data": "made"}
    return Timing(train_seconds=train, other_seconds=other, **{**values, **changes})


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """`plan(*arguments, kind="cpu", …) -> (code, document or text)`: every epoch takes 1 s of training and 0.5 s of
    evaluation, starting a process 4 s, reading the command line nothing; `asked` notes what was to be timed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.plan.command.time", types.SimpleNamespace(perf_counter=lambda: 0.0))
    monkeypatch.setattr(threads, "cores", lambda: 4)

    def call(
        *arguments, kind="cpu", jobs=2, text=False, data="digits", first_seconds=0.0, train=None, watts=None, **found
    ):
        asked, left = [], list(train or [])  # of each probe in turn, seconds of training an epoch

        def probe(configs, at_a_time, threads, _, pack, bound=None, hear=lambda place, timing: None):
            asked.append((len(configs), at_a_time, threads, pack))
            seconds = left.pop(0) if left else 1.0
            values = {"data": data, "first_seconds": first_seconds, "watts": watts}
            late = bound is not None and bound.seconds == 0
            timings = [
                None if late and k not in bound.needed else timing(seconds, **values) for k in range(len(configs))
            ]
            for k, found_one in enumerate(timings):
                if found_one is not None:
                    hear(k, found_one)
            return Probed(kind, "device: a device", 2.0, 3.0, 1.0, found.pop("gpus", 0), timings, **found)

        monkeypatch.setattr(sides, "probe", probe)
        monkeypatch.setattr("sweeper.system.machine.probe_kind", lambda: kind)
        for reader in (forecast, resolvers):
            monkeypatch.setattr(reader, "parallel_runs", lambda kind, threads: jobs)
        code = main([*([] if text else ["--json"]), *merged(*arguments)])
        out, error = capsys.readouterr()
        call.asked = asked
        if out and not text:
            check("plan", json.loads(out))
        return code, out if text else json.loads(out) if out else error

    return call
