"""The command line of a decision: arms are trained look by look, it ends when all is decided, and it goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest
from conftest import run_module
from json_schema import check

from sweeper.decide.command import main

RUN = ("dataset=digits", "model=mlp", "epochs=1", "device=cpu", "device.threads=1", "hydra/launcher=basic")
ARMS = {
    "usual": "optimizer=sgd optimizer.lr=0.1",
    "like": "optimizer=sgd optimizer.lr=0.1001",
    "slow": "optimizer=sgd optimizer.lr=0.001",
    "broken": "optimizer=sgd optimizer.lr=1e30",
}
FLAGS = [word for name, words in ARMS.items() for word in ("--arm", f"{name}: {words}")]


@pytest.mark.slow
def test_arms_are_decided_and_one_stopped_on_the_way_goes_on(tmp_path):
    """Two arms that are almost alike, one that is worse, and one that diverges."""
    asked = [*FLAGS, *RUN, "--looks", "3,4", "--margin", "30"]
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "sweeper.decide", *asked]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not any(tmp_path.glob("outputs/*/*/metrics.csv")):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    done = run_module("decide", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rule: looks at 3, 4 seeds; error of all looks and pairs together at most 5 %, equi")
    document = json.loads((tmp_path / "outputs" / "decision.json").read_text())
    check("decision", document)
    verdicts = {frozenset((v["a"], v["b"])): v["verdict"] for look in document["looks"] for v in look["pairs"]}
    assert verdicts[frozenset(("usual", "like"))] == "equivalent"
    assert verdicts[frozenset(("usual", "slow"))] == verdicts[frozenset(("like", "slow"))] == "different"
    assert verdicts[frozenset(("usual", "broken"))] == "open" and document["ended"]
    assert document["looks"][0]["diverged"] == {"broken": 3}
    assert document["answer"] == done.stdout.splitlines()[-1]
    again = run_module("decide", *asked, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == document["answer"]
    other = run_module("decide", *asked[:-2], cwd=tmp_path)
    assert other.returncode == 2 and "was begun by another rule" in other.stderr and other.stderr.count("\n") == 1


def test_help_and_version(capsys):
    assert main(["--help"]) == 0 and "--most-seeds" in capsys.readouterr().out
    assert main(["--version"]) == 0


def test_bad_input_is_refused_in_a_line(capsys):
    assert main(["--margin", "0", *FLAGS, *RUN]) == 2
    assert capsys.readouterr().err == "error: --margin 0: must be a number of percentage points above 0, e.g. 0.2\n"
    assert main([*RUN]) == 2
    assert capsys.readouterr().err.startswith("error: a decision needs two arms or more")
