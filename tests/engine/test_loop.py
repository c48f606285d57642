"""The loop: paired by seed, resumable bit for bit, honest about divergence."""

import itertools
import types
from pathlib import Path

import pytest
import torch
from conftest import TINY, merged

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device
from sweeper.engine.evaluate import Score
from sweeper.engine.loop import Diverged, Stopped, train
from sweeper.engine.meter import Sums
from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import METRICS
from sweeper.system.errors import RunFailed

TIMES = ("train_seconds", "images_per_second")


def configure(*overrides: str) -> dict:
    return compose_grid(merged(*TINY, *overrides)).cells[0].config


def start(config: dict, path: Path, rows: list | None = None):
    data = load_run_data(config)
    device = choose_device(config["device"], threads=1)
    return train(config, data, device, RunDirectory(path), [] if rows is None else rows, lambda row: None, {})


def finish(config: dict, path: Path) -> list[dict]:
    torch.set_num_threads(1)
    rows: list[dict] = []
    for _ in start(config, path, rows):
        pass
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


RESUMED = ("sgd", "adam", "lion", "muon", "sam", "sophia", "soap", "adan", "lamb", "prodigy")
RESUMED += ("schedule_free_sgd", "schedule_free_adamw")


@pytest.mark.parametrize("optimizer", RESUMED)
def test_a_resumed_run_equals_one_that_was_never_stopped_bit_for_bit(optimizer, tmp_path):
    config = configure(f"optimizer={optimizer}", "noise=symmetric", "noise.rate=0.2")
    whole = finish(config, tmp_path / "whole")
    for stop_after in (1, 3, 1):  # twice inside the first epoch, once in the second
        loop = start(config, tmp_path / "stopped")
        for _ in itertools.islice(loop, stop_after):
            pass
        with pytest.raises(Stopped):
            loop.throw(Stopped())
    assert finish(config, tmp_path / "stopped") == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert weights[0] == weights[1]


def test_a_run_killed_between_checkpoints_equals_one_that_was_not(tmp_path):
    config = configure("optimizer=adamw", "epochs=3", "checkpoint_every=1")
    whole = finish(config, tmp_path / "whole")
    loop = start(config, tmp_path / "killed")
    for _ in itertools.islice(loop, 8):  # the first epoch's checkpoint is written; the second is lost in the middle
        pass
    loop.close()
    assert finish(config, tmp_path / "killed") == whole


def test_dropout_resumes_bit_for_bit_too(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "with_dropout.py").write_text(
        "from torch import nn\n"
        "def net(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, num_classes))\n"
    )
    config = configure("model=mlp")
    config["model"] = {"name": "net", "_target_": "with_dropout.net"}
    whole = finish(config, tmp_path / "whole")
    loop = start(config, tmp_path / "stopped")
    for _ in itertools.islice(loop, 2):
        pass
    with pytest.raises(Stopped):
        loop.throw(Stopped())
    assert finish(config, tmp_path / "stopped") == whole


def test_every_optimizer_sees_the_same_first_loss(tmp_path):
    """Same seed: same initial weights, same first batch, same augmentation, whatever comes after."""
    losses = {}
    for optimizer in ("sgd", "adam", "adamw", "lion", "muon"):
        config = configure(f"optimizer={optimizer}", "optimizer.lr=1e-30", "schedule=constant")
        if optimizer == "muon":
            config["optimizer"]["adamw_lr"] = 1e-30
        losses[optimizer] = finish(config, tmp_path / optimizer)[0]["train_loss"]
    assert max(losses.values()) - min(losses.values()) < 1e-5, losses
    other_seed = finish(configure("seed=2", "optimizer.lr=1e-30"), tmp_path / "other")[0]["train_loss"]
    assert abs(other_seed - losses["sgd"]) > 1e-3


@pytest.mark.parametrize(
    ("option", "words"), [("optimizer.lr=1e30", "epoch 1, step"), ("divergence_loss=1e-3", "epoch 1, step 1")]
)
def test_divergence_is_found_with_its_step(option, words, tmp_path):
    with pytest.raises(Diverged, match=words):
        finish(configure("optimizer=sgd", "schedule=constant", option), tmp_path)


EXPLODED = ("model=cnn", "optimizer=sgd", "optimizer.lr=1e3", "schedule=constant")  # finite, and ends above 1e15


def test_a_run_that_ends_with_a_loss_beyond_any_sense_has_diverged(tmp_path):
    rows: list[dict] = []
    with pytest.raises(Diverged, match=r"loss \d.*e\+\d\d at the end, epoch 2; guessing has 2\.3"):
        for _ in start(configure(*EXPLODED), tmp_path, rows):
            pass
    assert len(rows) == 2 and rows[-1]["test_loss"] > 1e6 and rows[-1]["test_accuracy"] < 0.2
    assert len(finish(configure(*EXPLODED, "divergence_loss=1e38"), tmp_path / "bound")) == 2, "a bound of the user's"


@pytest.mark.parametrize(("median", "test_loss"), [(1e9, 2.0), (2.0, 1e9)])
def test_a_few_wild_steps_or_a_wild_evaluation_alone_are_no_divergence(median, test_loss, tmp_path, monkeypatch):
    monkeypatch.setattr(Sums, "median_loss", lambda self: median)
    monkeypatch.setattr(Score, "read", lambda self: {"loss": test_loss, "accuracy": 0.1})
    assert len(finish(configure("model=mlp"), tmp_path)) == 2


def test_a_run_may_recover_before_its_end(tmp_path, monkeypatch):
    medians = iter([2.0])  # asked for once, in the last epoch
    monkeypatch.setattr(Sums, "median_loss", lambda self: next(medians))
    monkeypatch.setattr(Score, "read", lambda self: {"loss": 1e9, "accuracy": 0.1})
    assert len(finish(configure("model=mlp", "epochs=3"), tmp_path)) == 3


def test_the_short_last_batch_is_trained(tmp_path):
    rows = finish(configure("batch_size=64", "epochs=1"), tmp_path)  # 300 = 4 × 64 + 44
    assert rows[0]["step"] == 5


def test_validation_images_are_held_out_and_measured(tmp_path):
    config = configure("dataset.train_limit=null", "dataset.validation_fraction=0.1", "epochs=1")
    data = load_run_data(config)
    row = finish(config, tmp_path)[0]
    assert len(data.val.labels) == round(0.1 * (len(data.val.labels) + len(data.train.labels)))
    assert 0 <= row["val_accuracy"] <= 1 and row["val_loss"] > 0
    assert set(row) <= set(METRICS)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    config = configure()
    loop = start(config, tmp_path)
    next(loop)
    with pytest.raises(Stopped):
        loop.throw(Stopped())
    state = RunDirectory(tmp_path).load_checkpoint()
    RunDirectory(tmp_path).write_checkpoint({**state, "data_digest": "other"})
    with pytest.raises(RunFailed, match="the data set has changed"):
        finish(config, tmp_path)


def test_the_first_turn_after_a_resume_says_where_the_epoch_stands(tmp_path):
    config = configure("optimizer=sgd", "epochs=3")
    loop = start(config, tmp_path)
    assert [turn.before for turn in itertools.islice(loop, 3)] == [0, 0, 0]
    with pytest.raises(Stopped):
        loop.throw(Stopped())
    turns = list(start(config, tmp_path))
    assert (turns[0].before, turns[0].steps) == (3, 1) and not any(turn.before for turn in turns[1:])


def test_a_run_killed_within_an_epoch_goes_on_from_its_latest_minute(tmp_path, monkeypatch):
    config = configure("optimizer=adamw", "noise=symmetric", "epochs=3")
    whole = finish(config, tmp_path / "whole")
    monkeypatch.setattr("sweeper.engine.loop.CHECKPOINT_AFTER", 0.0)
    loop = start(config, tmp_path / "killed")
    for _ in itertools.islice(loop, 5):
        pass
    loop.close()
    assert RunDirectory(tmp_path / "killed").load_checkpoint()["step"] == 4
    assert finish(config, tmp_path / "killed") == whole


def test_a_checkpoint_that_is_slow_to_write_doesnt_make_the_next_one_due(tmp_path, monkeypatch):
    clock, saves = [0.0], []

    def save_slowly(*_):
        saves.append(clock[0])
        clock[0] += 100.0

    monkeypatch.setattr("sweeper.engine.loop.time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr("sweeper.engine.loop.save_state", save_slowly)
    for _ in start(configure("optimizer=sgd", "epochs=3"), tmp_path):
        clock[0] += 25.0
    assert len(saves) > 1 and all(later - earlier >= 160.0 for earlier, later in itertools.pairwise(saves))
