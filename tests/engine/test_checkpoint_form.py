"""Content that no run can have written is refused with its reason, and nothing of it is used."""

import itertools
import shutil

import pytest
import torch

from sweeper.datasets.data import load_run_data
from sweeper.engine.checkpoint import load_state
from sweeper.engine.checkpoint_form import Signature
from sweeper.engine.devices import choose_device
from sweeper.engine.training import build_training
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.runs.layout import CHECKPOINT_FILES
from tests.engine.test_checkpoint import LATEST, rewrite
from tests.engine.test_loop import configure, start


def put(name, value):
    return lambda state: state.update({name: value})


def of_parts(change):
    """Of adamw, whose state is by parameter."""
    return lambda state: change(state["model"], state["optimizer"], state["schedule"])


SENSELESS = {
    "epoch 10^9": (put("epoch", 10**9), "its epoch is 1000000000, of 4"),
    "epoch -5": (put("epoch", -5), "its epoch is -5, of 4"),
    "epoch 0": (put("epoch", 0), "its epoch is 0, of 4"),
    "epoch a text": (put("epoch", "4"), "its epoch is '4', of 4"),
    "epoch true": (put("epoch", True), "its epoch is True, of 4"),
    "no epoch": (lambda state: state.pop("epoch"), "its epoch is None, of 4"),
    "an epoch that its rows don't reach": (put("epoch", 2), "it has no rows of 1 epoch"),
    "step 10^9": (put("step", 10**9), "its step is 1000000000, of "),
    "step -1": (put("step", -1), "its step is -1, of "),
    "step nan": (put("step", float("nan")), "its step is nan, of "),
    "no rows": (put("rows", []), "it has no rows of 3 epochs"),
    "rows a number": (put("rows", 3), "it has no rows of 3 epochs"),
    "rows of texts": (put("rows", ["a", "b", "c"]), "its row 1 isn't one of metrics"),
    "a text in a row": (lambda state: state["rows"][1].update(test_loss="low"), "its row 2 isn't one of metrics"),
    "an accuracy of 7": (lambda state: state["rows"][1].update(test_accuracy=7.0), "its row 2 isn't one of metrics"),
    "seconds nan": (lambda state: state["rows"][1].update(train_seconds=float("nan")), "its row 2 isn't"),
    "a column more": (lambda state: state["rows"][2].update(more=1), "its row 3 isn't one of metrics"),
    "a column less": (lambda state: state["rows"][2].pop("train_loss"), "its row 3 isn't one of metrics"),
    "rows in disorder": (lambda state: state["rows"].reverse(), "its row 1 is of epoch 3, step "),
    "a digest of no text": (put("data_digest", 3), "it has no digest of its"),
    "no model": (lambda state: state.pop("model"), "it has no state of the model"),
    "a model of nothing": (put("model", {}), "the model has other parts: "),
    "a weight less": (of_parts(lambda m, o, s: m.popitem()), "the model has other parts: "),
    "another shape": (of_parts(lambda m, o, s: m.update({next(iter(m)): torch.zeros(2)})), "the model has tensors of"),
    "a number as weight": (of_parts(lambda m, o, s: m.update({next(iter(m)): 1})), "the model has tensors of"),
    "an optimizer of nothing": (put("optimizer", {}), "the optimizer has other parameter groups"),
    "a group less": (of_parts(lambda m, o, s: o["param_groups"].pop()), "the optimizer has other parameter groups"),
    "a parameter less": (
        of_parts(lambda m, o, s: o["param_groups"][0]["params"].pop()),
        "the optimizer has other parameters",
    ),
    "a rate of text": (of_parts(lambda m, o, s: o["param_groups"][0].update(lr="high")), "the optimizer has 'high'"),
    "an option less": (of_parts(lambda m, o, s: o["param_groups"][0].pop("betas")), "the optimizer can't take its"),
    "no state": (of_parts(lambda m, o, s: o["state"].clear()), "the optimizer's state is empty"),
    "half a state": (of_parts(lambda m, o, s: o["state"][0].pop("exp_avg")), "the optimizer's state lacks 'exp_avg'"),
    "a state of another shape": (
        of_parts(lambda m, o, s: o["state"][0].update(exp_avg=torch.zeros(7))),
        "the optimizer has tensors of other shapes",
    ),
    "a state of a parameter that isn't": (
        of_parts(lambda m, o, s: o["state"].update({99: {}})),
        "the optimizer's state is of other parameters",
    ),
    "a schedule of texts": (put("schedule", {"last_epoch": "x"}), "the schedule has 'x' in the place of a number"),
    "a schedule with a method": (of_parts(lambda m, o, s: s.update(step=1)), "the schedule is another"),
    "a meter of nothing": (put("meter", {}), "the meter has other parts: "),
    "another run": (put("run", "digits-cnn/lion-seed1-00000000"), "of another run, digits-cnn/lion-seed1-00000000"),
    "a run of no text": (put("run", ["x"]), "of another run"),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run killed in its fourth epoch, with the checkpoints of its third and second."""
    config = configure("optimizer=adamw", "epochs=4", "checkpoint_every=1")
    directory = tmp_path_factory.mktemp("killed") / "run"
    loop = start(config, directory)
    while not all((directory / name).exists() for name in CHECKPOINT_FILES):
        next(loop)
    for _ in itertools.takewhile(lambda _: RunDirectory(directory).load_checkpoint()["epoch"] < 4, loop):
        pass
    loop.close()
    return config, directory


@pytest.fixture
def load(killed):
    """`load(directory) -> (where to go on, rows, weights)`, with `load.weights` those at the beginning."""
    config, _ = killed
    data, device = load_run_data(config), choose_device(config["device"], threads=1)
    parts = build_training(config, data, device)
    signature = Signature(run_name(config), data.digest, config["epochs"], len(parts.sizes), data.val is not None)

    def call(directory):
        rows = []
        place = load_state(RunDirectory(directory), parts.stateful, rows, signature, {})
        return place, rows, parts.model.state_dict()

    call.weights = {name: value.clone() for name, value in parts.model.state_dict().items()}
    return call


@pytest.mark.parametrize("both", [False, True], ids=["the latest", "both"])
@pytest.mark.parametrize("kind", SENSELESS)
def test_senseless_content_is_refused_and_nothing_of_it_is_used(killed, load, tmp_path, caplog, kind, both):
    change, words = SENSELESS[kind]
    (_, directory), run = killed, tmp_path / "run"
    shutil.copytree(directory, run)
    names = CHECKPOINT_FILES[: 1 + both]
    if both:
        shutil.copy(directory / LATEST, run / names[1])
    for name in names:
        rewrite(run / name, change)
    whole = RunDirectory(directory).load_checkpoint(CHECKPOINT_FILES[1])
    with caplog.at_level("INFO", "sweeper"):
        place, rows, weights = load(run)
    assert (place, rows) == (((1, 0), []) if both else ((3, 0), whole["rows"]))
    expected = load.weights if both else whole["model"]
    assert all(torch.equal(value, expected[name]) for name, value in weights.items())
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    end = "the run begins anew" if both else "the run goes on from the one before it"
    assert len(lines) == len(names)
    for line, name in zip(lines, names, strict=True):
        assert line.startswith(f"{run}/{name}: {words}") and line.endswith(f"; {end}")
