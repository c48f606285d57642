"""A burst of steps is these steps one by one, for every schedule, with dropout, at a stop and at an epoch's end."""

import itertools

import pytest
from graphs_on_the_cpu import graphs_on_the_cpu  # noqa: F401  a fixture
from safetensors.torch import load_file

from sweeper.datasets.data import load_run_data
from sweeper.engine.augment import EpochOrder
from sweeper.engine.bursts import Bursts
from sweeper.engine.devices import choose_device
from sweeper.engine.evaluate import Evaluation
from sweeper.engine.loop import Diverged, Stopped, train
from sweeper.engine.meter import Clock, Meter
from sweeper.engine.results import EpochResults
from sweeper.engine.step import Step
from sweeper.runs.directory import RunDirectory
from tests.engine.test_loop import configure, finish, start

NET = (
    "from torch import nn\n"
    "def net(num_classes):\n"
    "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, num_classes))\n"
)
SCHEDULES = {
    "cosine": {},
    "steps": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3, "gamma": 0.5},  # from the rate before
    "one cycle": {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.1},  # changes the momentum too
}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Of 10 steps an epoch, the last of a smaller batch; with dropout."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "net_with_dropout.py").write_text(NET)
    config = configure("optimizer=sgd", "batch_size=32", "epochs=3", "noise=symmetric", "noise.rate=0.2")
    return {**config, "model": {"name": "net", "_target_": "net_with_dropout.net"}}


def weights(path):
    return {name: tensor.tolist() for name, tensor in load_file(path / "model.safetensors").items()}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_bursts_give_the_bits_of_single_steps(schedule, config, tmp_path, set_burst):
    if SCHEDULES[schedule]:
        config["schedule"] = {"name": schedule, **SCHEDULES[schedule]}
    rows = {}
    for burst in (1, 4, 100):
        set_burst(burst, arrives=burst == 4)
        rows[burst] = finish(config, tmp_path / str(burst))
    assert rows[1] == rows[4] == rows[100] and len(rows[1]) == 3
    assert weights(tmp_path / "1") == weights(tmp_path / "4") == weights(tmp_path / "100")
    assert len({row["lr"] for row in rows[1]}) == 3


def test_a_schedule_that_changes_more_than_the_rate_gives_the_result_of_a_loop_without_graphs(
    config, tmp_path, set_burst, monkeypatch
):
    config["schedule"] = {"name": "one cycle", **SCHEDULES["one cycle"]}
    set_burst(4)
    rows = finish(config, tmp_path / "graphs")
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path)
    plain = finish(config, tmp_path / "plain")
    for row, other in zip(rows, plain, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)


def test_a_turn_is_a_burst_or_what_is_left_of_an_epoch_with_its_evaluation(config, tmp_path, set_burst):
    set_burst(4)
    assert [turn.steps for turn in start(config, tmp_path / "4")] == 3 * [4, 4, 2]
    set_burst(100)
    assert [turn.steps for turn in start(config, tmp_path / "100")] == 3 * [10]
    set_burst(100, arrives=False)  # a turn that waits for the epoch before, and one for its row
    assert [turn.steps for turn in start(config, tmp_path / "late")] == [10, 10, 0, 10, 0]


def note(config, path, happened):
    """A run that notes each step's turn, row and checkpoint."""
    device, run = choose_device(config["device"], threads=1), RunDirectory(path)
    written = run.write_checkpoint
    run.write_checkpoint = lambda state: (happened.append(f"saved {state['epoch']}.{state['step']}"), written(state))
    rows, show = [], lambda row: happened.append(f"row {row['epoch']}")
    for turn in train(config, load_run_data(config), device, run, rows, show, {}):
        happened.append(f"{turn.steps} steps")
    return rows


def test_an_epochs_row_follows_the_first_burst_of_the_next(config, tmp_path, set_burst):
    happened: list[str] = []
    set_burst(9)
    note(config, tmp_path, happened)
    ends = [happened.index(f"row {epoch}") for epoch in (1, 2, 3)]
    assert [happened[end - 1] for end in ends] == ["9 steps", "9 steps", "1 steps"]
    assert happened[-1] == "row 3"


def test_a_row_is_complete_before_the_checkpoint_that_follows_its_epoch(config, tmp_path, set_burst):
    happened: list[str] = []
    set_burst(9)
    note({**config, "checkpoint_every": 2}, tmp_path, happened)
    saved = happened.index("saved 3.0")
    assert happened[saved - 2 : saved] == ["1 steps", "row 2"], "no step of the next epoch is handed over before"


def test_epochs_shorter_than_a_burst_are_saved_when_a_checkpoint_is_due(config, tmp_path, set_burst, monkeypatch):
    happened: list[str] = []
    set_burst(100)
    monkeypatch.setattr("sweeper.engine.loop.CHECKPOINT_AFTER", -1.0)
    note(config, tmp_path, happened)
    assert [event for event in happened if event.startswith("saved")] == ["saved 2.0", "saved 3.0"]


def test_a_run_that_diverged_ends_with_the_row_of_that_epoch(config, tmp_path, set_burst):
    happened: list[str] = []
    set_burst(9)
    rows = note(config, tmp_path / "whole", happened)
    bound = (rows[0]["train_loss"] + rows[1]["train_loss"]) / 2
    for burst in (1, 9):
        set_burst(burst)
        found: list[dict] = []
        with pytest.raises(Diverged, match="at epoch 1, step 1") as error:
            for _ in start({**config, "divergence_loss": bound}, tmp_path / f"{burst}", found):
                pass
        assert len(found) == 1 and "epoch 1" in str(error.value)


STATEMENTS = [(EpochOrder, "draw"), (Meter, "reset"), (Step, "seek"), (Clock, "start"), (Bursts, "run")]
STATEMENTS += [(Clock, "stop"), (Evaluation, "measure"), (EpochResults, "__init__")]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement[0].__name__)
@pytest.mark.parametrize("bound", [None, 1e-9], ids=["well", "diverged"])
def test_what_fails_leaves_the_row_of_the_epoch_before(bound, statement, config, tmp_path, set_burst, monkeypatch):
    """An optimizer may refuse what is not a number, in the epoch after that which diverged; a device may be full."""
    set_burst(9, arrives=False)
    owner, name = statement
    whole, drawn = getattr(owner, name), EpochOrder.draw
    epochs: list[int] = []

    def draw(order, seed, epoch):
        epochs.append(epoch)
        return drawn(order, seed, epoch) if owner is not EpochOrder else fail(order, seed, epoch)

    def fail(*arguments):
        if epochs[-1] == 2:
            raise RuntimeError("out of resources")
        return whole(*arguments)

    if owner is not EpochOrder:
        monkeypatch.setattr(owner, name, fail)
    monkeypatch.setattr(EpochOrder, "draw", draw)
    rows: list[dict] = []
    with pytest.raises(RuntimeError if bound is None else Diverged):
        for _ in start({**config, "divergence_loss": bound}, tmp_path, rows):
            pass
    assert [row["epoch"] for row in rows] == [1] and epochs in ([1, 2], [1])


@pytest.mark.parametrize("arrives", [True, False])
def test_the_driver_judges_each_row_before_the_next_is_there(arrives, config, tmp_path, set_burst):
    """A search prunes by the rows, so their number at each turn must not depend on bursts."""
    set_burst(100, arrives)
    rows: list[dict] = []
    seen = [len(rows) for _ in start({**config, "epochs": 5}, tmp_path, rows)]
    assert [b - a for a, b in itertools.pairwise([0, *seen]) if b != a] == [1] * (len(set(seen)) - 1)
    assert {1, 2, 3, 4} <= set(seen)
    loop = start({**config, "epochs": 5}, tmp_path / "pruned", rows := [])
    with pytest.raises(Stopped):
        for _ in loop:
            if len(rows) == 2:
                loop.throw(Stopped())
    assert len(rows) == 2


@pytest.mark.parametrize("arrives", [True, False])
def test_a_run_stopped_between_bursts_resumes_to_the_same_bits(arrives, config, tmp_path, set_burst):
    set_burst(4, arrives)
    whole = finish(config, tmp_path / "whole")
    turns = len(list(start(config, tmp_path / "turns")))
    assert turns == (9 if arrives else 11)
    for after in range(1, turns + 1):
        path = tmp_path / f"stopped after {after}"
        loop = start(config, path)
        assert len(list(itertools.islice(loop, after))) == after
        with pytest.raises(Stopped):
            loop.throw(Stopped())
        state = RunDirectory(path).load_checkpoint()
        assert [row["epoch"] for row in state["rows"]] == list(range(1, state["epoch"])), "rows are complete"
        assert finish(config, path) == whole
        assert weights(path) == weights(tmp_path / "whole")


def test_metrics_of_quick_epochs_are_written_now_and_then_and_at_the_end(config, tmp_path, set_burst, monkeypatch):
    set_burst(100)
    written: list[str] = []
    write = RunDirectory._write
    monkeypatch.setattr(RunDirectory, "_write", lambda run, *file: (written.append(file[0]), write(run, *file))[1])
    monkeypatch.setattr("sweeper.engine.loop.METRICS_EVERY", 1e9)
    finish({**config, "epochs": 5}, tmp_path)
    assert written.count("metrics.csv") == 2, "at the beginning and at the end"
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 6
