"""A user's own optimizer is edited between commands: every command that meets runs of the old code says so."""

import json

import pytest
from conftest import TINY
from forked_children import run_all_forked
from json_schema import check

pytestmark = pytest.mark.slow

OPTIMIZER = """
import torch

from myhelper import after


class My(torch.optim.SGD):
    steps = 0

    def step(self, closure=None):
        My.steps += 1
        if My.steps > {most}:
            raise RuntimeError("a bug")
        return super().step(closure)
"""
RUN = (*TINY, "model=mlp", "--config-dir", "mine")


def train(folder, *words, code=0):
    done = run_all_forked("train", *RUN, *words, cwd=folder)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "my.yaml").write_text("_target_: myopt.My\n_partial_: true\nlr: 0.1\n")
    (tmp_path / "myopt.py").write_text(OPTIMIZER.format(most=10**6))
    (tmp_path / "myhelper.py").write_text("after = 1\n")
    return tmp_path


def test_old_and_new_seeds_are_not_pooled_without_a_word(folder):
    basic = ("-m", "optimizer=my,sgd", "hydra/launcher=basic")
    train(folder, *basic, "seed=1,2")
    records = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("outputs/*/*/run.json")}
    for name, record in records.items():
        check("run", record)
        assert [*record["environment"].get("code", {})] == ["myhelper", "myopt"] * name.startswith("my-")
    again = train(folder, *basic, "seed=1,2")
    assert again.stdout.count("completed already") == 4 and "its code was another" not in again.stdout
    (folder / "myhelper.py").write_text("after = 2\n")
    done = train(folder, *basic, "seed=1,2,3")
    anew = "rerun=true trains it anew by that of now, and keeps its files aside"
    line = f"\n  its code was another: myhelper has changed since; {anew}\n"
    assert done.stdout.count(line) == 2 and done.stdout.count("completed already") == 4
    assert "these runs were not all made alike (code of myhelper: " in done.stdout
    verified = run_all_forked("verify", "outputs", cwd=folder)
    assert verified.returncode == 1 and "code of myhelper: " in verified.stdout


def test_a_crash_that_was_mended_goes_on_and_says_by_which_code(folder):
    (folder / "myopt.py").write_text(OPTIMIZER.format(most=18))
    words = ("optimizer=my", "seed=1", "epochs=4", "checkpoint_every=1", "batch_size=64")
    train(folder, *words, code=1)
    (folder / "myopt.py").write_text(OPTIMIZER.format(most=10**6))
    done = train(folder, *words)
    assert "going on from the checkpoint: epoch " in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "this run began with the code of myopt (" in line]
    assert line.endswith("so its numbers differ from an uninterrupted run's; rerun=true trains it anew")
    said = train(folder, *words).stdout
    assert "completed already" in said and "its code was another: myopt has changed since" in said
