"""A stopped run resumes to the bit with state that PyTorch's `state_dict` lacks; a checkpoint runs no code."""

import copy
import itertools
from collections import Counter as Counts

import pytest
import torch
from odd_optimizers import GOOD, Counter, Counting

from sweeper.engine.checkpoint_form import Unfit
from sweeper.engine.loop import Stopped
from sweeper.engine.plain_form import FORM
from sweeper.engine.state import Attributes, load_state, read_state
from sweeper.runs.directory import RunDirectory
from tests.engine.test_loop import configure, finish, start


def of_own(optimizer: str | None = None, model: str | None = None, **options) -> dict:
    """A configuration with an optimizer or a model of `odd_optimizers`."""
    config = configure("model=mlp", "optimizer=sgd", "schedule=constant")
    for group, name in (("optimizer", optimizer), ("model", model)):
        if name is not None:
            config[group] = {"name": name, "_target_": f"odd_optimizers.{name}", **options}
    return config


def ends(config, folder, stop_after):
    """The rows and weights of a run that is never stopped, and of one stopped after these numbers of steps."""
    whole = finish(config, folder / "whole")
    for steps in stop_after:
        loop = start(config, folder / "stopped")
        for _ in itertools.islice(loop, steps):
            pass
        with pytest.raises(Stopped):
            loop.throw(Stopped())
    stopped = finish(config, folder / "stopped")
    return whole, stopped, *((folder / name / "model.safetensors").read_bytes() for name in ("whole", "stopped"))


@pytest.mark.parametrize("kind", [*(kind.__name__ for kind in GOOD), "Counting"])
def test_odd_state_resumes_bit_for_bit(kind, tmp_path, caplog):
    config = of_own(model=kind) if kind == "Counting" else of_own(optimizer=kind)
    whole, stopped, weights, weights_stopped = ends(config, tmp_path, (2, 2))
    assert whole == stopped and weights == weights_stopped
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_run_that_is_not_resumable_has_no_checkpoint_and_begins_anew(tmp_path, caplog):
    config = of_own(optimizer="Hidden")
    _, _, weights, weights_stopped = ends(config, tmp_path / "1", (2,))
    assert weights != weights_stopped, "else the rehearsal's test shows nothing"
    config |= {"resumable": False, "checkpoint_every": 1}
    _, _, weights, weights_stopped = ends(config, tmp_path / "2", (2,))
    assert weights == weights_stopped and not list((tmp_path / "2").rglob("checkpoint*")) and not caplog.records
    RunDirectory(tmp_path / "2" / "stopped").write_checkpoint({"version": 1})
    finish(config, tmp_path / "2" / "stopped")
    assert "resumable=false: the run begins anew; its checkpoints are kept in " in caplog.text


def counted_optimizer():
    optimizer = Counter([torch.nn.Parameter(torch.ones(3))])
    model = torch.nn.Module()
    model.p = optimizer.param_groups[0]["params"][0]
    return optimizer, model, Attributes(model, optimizer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", 5),
        ("__class__", 5),
        ("zero_grad", None),
        ("helper", {FORM: "object", "type": "Popen", "attributes": {}}),
        ("helper", {FORM: "own", "type": "x"}),
        ("more", {FORM: "object", "type": "Helper", "attributes": {}}),
        ("more", {FORM: "own", "type": "function"}),
        ("more", {FORM: "os.system", "items": ["true"]}),
        ("more", {FORM: "parameter", "number": 7}),
        ("more", {FORM: "array", "dtype": "O", "shape": [1], "bytes": torch.zeros(8)}),
        ("generator", {FORM: "object", "type": "Random", "attributes": {}}),
    ],
)
def test_no_checkpoint_replaces_code(name, value):
    optimizer, _, attributes = counted_optimizer()
    before = vars(optimizer)["helper"], vars(optimizer)["generator"]
    if value == {FORM: "own", "type": "x"}:
        attributes.load_state_dict({"optimizer": {name: value}})
    else:
        with pytest.raises(Unfit):
            attributes.load_state_dict({"optimizer": {name: value}})
    assert callable(optimizer.step) and (optimizer.helper, optimizer.generator) == before


def test_only_what_changed_is_saved_and_the_rest_is_put_back():
    model = Counting(3)
    attributes = Attributes(model)
    assert attributes.state_dict() == {}
    model(torch.ones(2, 64))
    assert {name: set(values) for name, values in attributes.state_dict().items()} == {
        "model.": {"count", "means", "last", "transient"}
    }
    attributes.load_state_dict({})
    assert attributes.state_dict() == {} and (model.count, model.last) == (0, None)


def test_a_state_of_an_earlier_version_is_loaded():
    """As PyTorch's `state_dict` has it."""
    ends = []
    for way in ("torch", "ours"):
        torch.manual_seed(0)
        weights = [torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(3))]
        optimizer = torch.optim.AdamW(weights, amsgrad=True)
        for k in range(4):
            for p in weights:
                p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(k))
            optimizer.step()
            if k == 1:
                saved = optimizer.state_dict()
                optimizer = torch.optim.AdamW(weights, amsgrad=True)
                optimizer.load_state_dict(saved) if way == "torch" else load_state(optimizer, saved)
        ends.append(read_state(optimizer)["state"][0]["exp_avg"])
    assert torch.equal(*ends)


def test_a_schedule_of_an_earlier_version_is_loaded():
    """MultiStepLR's state has a Counter, as `schedule=step` saved it."""
    schedules = []
    for _ in range(2):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedules.append(torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4]))
    saved = copy.deepcopy(schedules[0].state_dict())
    load_state(schedules[1], saved)
    assert schedules[1].milestones == {2: 1, 4: 1} and type(schedules[1].milestones) is Counts
    load_state(schedules[1], read_state(schedules[0]))
    assert schedules[1].state_dict() == saved
