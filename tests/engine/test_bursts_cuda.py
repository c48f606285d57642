"""On an NVIDIA GPU bursts of steps give the bits of single steps, alone, in lanes and across stops."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sweeper.datasets.data import load_run_data
from sweeper.engine import pace
from sweeper.engine.devices import choose_device
from sweeper.engine.graphs import PARTLY, WHOLE
from sweeper.engine.loop import Diverged, Stopped, train
from sweeper.runs.directory import RunDirectory
from sweeper.train.launchers.cuda_lane import Cuda
from sweeper.train.launchers.lanes import Lanes
from tests.engine.test_bursts import NET, SCHEDULES
from tests.engine.test_graphs import TIMES, configure

pytestmark = pytest.mark.cuda

SINGLE = 0.0  # seconds of a burst that give single steps


@pytest.fixture
def build(tmp_path, monkeypatch):
    """`build(*overrides, schedule=, drops=)`: deterministic, 4 epochs of 10 steps, the last of a smaller batch."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "net_with_dropout.py").write_text(NET)

    def configuration(*overrides: str, schedule: str = "cosine", drops: bool = False) -> dict:
        few = ("batch_size=32", "epochs=4", "noise=symmetric", "noise.rate=0.2", "device.deterministic=true")
        config = configure(*few, *overrides)
        if SCHEDULES[schedule]:
            config["schedule"] = {"name": schedule, **SCHEDULES[schedule]}
        if drops:
            config["model"] = {"name": "net", "_target_": "net_with_dropout.net"}
        return {**config, "save_model": True}

    return configuration


def loop(config: dict, path: Path, rows: list, facts: dict):
    device = choose_device(config["device"], threads=1)
    return train(config, load_run_data(config), device, RunDirectory(path), rows, lambda row: None, facts)


def run(config: dict, path: Path) -> tuple[list[dict], dict, str, list[int]]:
    """Rows, weights, tier, and the steps of each turn."""
    rows: list[dict] = []
    facts: dict = {}
    turns = []
    for turn in loop(config, path, rows, facts):
        turn.wait()
        turns.append(turn.steps)
    return without_times(rows), load_file(path / "model.safetensors"), facts["tier"], turns


def without_times(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_bursts_give_the_bits_of_single_steps(optimizer, schedule, drops, tmp_path, build, monkeypatch):
    if (optimizer, drops) == ("muon", True):
        pytest.skip("that network has no hidden layer")
    model = () if drops else ("model=mlp",)
    config = build(f"optimizer={optimizer}", *model, schedule=schedule, drops=drops)
    rows, weights, tier, turns = run(config, tmp_path / "bursts")
    monkeypatch.setattr(pace, "BURST", SINGLE)
    single_rows, single_weights, _, single_turns = run(config, tmp_path / "single")
    assert rows == single_rows and same(weights, single_weights)
    assert sum(turns) == sum(single_turns) == 40 and max(single_turns) == 1
    assert tier == (PARTLY if schedule == "one cycle" else WHOLE)
    assert max(turns) > 1, "a turn has several steps, whether they are handed over by one burst or one by one"


@pytest.mark.parametrize("drops", [False, True])
def test_a_stop_between_bursts_resumes_to_the_same_bits(drops, tmp_path, build):
    config = build("optimizer=adamw", drops=drops)
    rows, weights, _, turns = run(config, tmp_path / "whole")
    assert max(turns) > 1
    stops = 0
    for after in (3, 4, 6, 8, 11):
        path = tmp_path / str(after)
        for _ in range(2):  # the second time from its checkpoint
            steps = loop(config, path, found := [], {})
            for turns_taken, turn in enumerate(steps, start=1):
                turn.wait()
                if turns_taken == after:
                    with pytest.raises(Stopped):
                        steps.throw(Stopped())
                    stops += 1
                    break
            else:
                break  # its bursts were so long that it ended before
            state = RunDirectory(path).load_checkpoint()
            assert [row["epoch"] for row in found] == list(range(1, state["epoch"]))
        resumed, same_weights, _, _ = run(config, path)
        assert resumed == rows and same(weights, same_weights)
    assert stops >= 3


def test_a_run_that_diverged_ends_with_the_row_of_that_epoch(tmp_path, build):
    rows: list[dict] = []
    with pytest.raises(Diverged, match="epoch 1, step 1"):
        for turn in loop({**build(), "divergence_loss": 1e-3}, tmp_path, rows, {}):
            turn.wait()
    assert len(rows) == 1


@pytest.mark.parametrize("drops", [False, True])
def test_five_runs_in_lanes_are_what_each_is_alone(drops, tmp_path, build):
    configs = [{**build("optimizer=adamw", drops=drops), "seed": seed} for seed in range(1, 6)]
    found: list[list[dict]] = [[] for _ in configs]
    starts = ((k, lambda k=k: loop(configs[k], tmp_path / f"lane{k}", found[k], {})) for k in range(5))
    outcomes = Lanes(starts, Cuda(), 5).run()
    assert set(outcomes.values()) == {None}
    for k, config in enumerate(configs):
        rows, weights, _, _ = run(config, tmp_path / f"alone{k}")
        assert without_times(found[k]) == rows
        assert same(load_file(tmp_path / f"lane{k}" / "model.safetensors"), weights)


def test_a_burst_takes_no_more_than_50_ms(tmp_path, build):
    config = {**build("model=mlp", "dataset.train_limit=null", "batch_size=1"), "epochs": 2}
    longest, begun = 0.0, torch.cuda.Event(enable_timing=True)
    begun.record()
    for turn in loop(config, tmp_path, [], {}):
        ended = torch.cuda.Event(enable_timing=True)
        ended.record()
        ended.synchronize()
        if turn.steps > 1:
            longest = max(longest, begun.elapsed_time(ended))
        begun = ended
    assert 5 < longest < 50
