"""A node that can't be built ends in one line: what, where, and what was meant."""

import sys

import pytest
import torch
from torch import nn

from sweeper.engine.build import _without_host
from sweeper.system.errors import BadInput
from tests.engine.test_build import load_choice, model, node, optimizer, schedule


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (node("sweeper.models.cnm", width=2), "model._target_=sweeper.models.cnm: .* has no 'cnm'; did you mean 'cnn'"),
        (node("sweeper.modles.cnn"), "sweeper has no 'modles'; did you mean 'models'"),
        (node("no_such_package.net"), "no package 'no_such_package'; install it"),
        (node("cnn"), "model._target_=cnn: must be a dotted path"),
        (node("torch..cnn"), "must be a dotted path"),
        (node("torch.nn"), "model._target_=torch.nn: is no class or function"),
        (load_choice("model", "cnn", widht=2), "model.widht: sweeper.models.cnn takes no such option; .* 'width'"),
        (node("sweeper.models.cnn"), "model.width: missing; sweeper.models.cnn needs a value"),
        (load_choice("model", "cnn", width=-1), "model=cnn: sweeper.models.cnn: width=-1: must be at least 1"),
        (load_choice("model", "resnet20", width=0), "width=0: must be at least 1"),
        (load_choice("model", "mlp", width=0), "width=0: must be at least 1"),
        (load_choice("model", "mlp", depth=-1), "depth=-1: must be at least 0"),
        (load_choice("model", "mlp", width="a"), "model=mlp: sweeper.models.mlp: "),
        (node("torch.nn.Flatten"), "torch.nn.Flatten must take the option num_classes"),
        (node("builtins.dict"), "builtins.dict returned dict, not a torch.nn.Module"),
        (node("torchvision.models.resnet18"), r"fails on images \(2, 1, 8, 8\): "),
        (load_choice("model", "cnn", num_classes=5), r"returns \(2, 5\) for images \(2, 1, 8, 8\), not \(2, 4\)"),
        (load_choice("model", "cnn", width={"_target_": "math.sqrrt"}), "model.width._target_=math.sqrrt: .* 'sqrt'"),
        (load_choice("model", "cnn", width={"_target_": 5}), "model.width._target_=5: must be a dotted path"),
    ],
)
def test_a_model_that_cannot_be_built(given, words):
    refused(words, model, given)


def test_a_model_of_square_images_refuses_others():
    refused(
        "model=vit_tiny: takes square images only; these are 8×9", model, load_choice("model", "vit_tiny"), (1, 8, 9)
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            load_choice("optimizer", "sgd", momentun=0.9),
            r"optimizer.momentun: torch.optim.SGD takes no such option; did you mean 'momentum'\? \(there are: .*lr",
        ),
        (node("sweeper.optimizers.Loin"), "sweeper.optimizers has no 'Loin'; did you mean 'Lion'"),
        (node("torch.optm.SGD"), "torch has no 'optm'; did you mean 'optim'"),
        (node("sweeper.optimizers.Lion", lr=0.1), "optimizer.betas: missing; sweeper.optimizers.Lion needs a value"),
        (load_choice("optimizer", "sgd", lr=-1), "optimizer=sgd: torch.optim.SGD: Invalid learning rate: -1"),
        (load_choice("optimizer", "sgd", momentum=None), "'NoneType' and 'float'; optimizer.momentum=null$"),
        (load_choice("optimizer", "sgd", lr="fast"), "optimizer=sgd: torch.optim.SGD: "),
        (load_choice("optimizer", "sgd", params=[]), "optimizer.params: torch.optim.SGD takes no such option"),
        (load_choice("optimizer", "lion", lr=-1), "optimizer=lion: sweeper.optimizers.Lion: lr=-1: must be at least 0"),
        (load_choice("optimizer", "lion", betas=[0.9, 1.0]), r"betas=\[0.9, 1.0\]: must be two numbers in \[0, 1\)"),
        (load_choice("optimizer", "lion", weight_decay=-1), "weight_decay=-1: must be at least 0"),
        (load_choice("optimizer", "muon", adamw_lr=-1), "adamw_lr=-1: must be at least 0"),
        (load_choice("optimizer", "muon", lr=float("nan")), "lr=nan: must be at least 0"),
        (load_choice("optimizer", "muon", momentum=1), r"momentum=1: must lie in \[0, 1\)"),
        (load_choice("optimizer", "muon", newton_schulz_steps=0), "newton_schulz_steps=0: must be an integer of at"),
        (
            load_choice("optimizer", "muon", newton_schulz_steps=2.5),
            "newton_schulz_steps=2.5: must be an integer",
        ),
        (load_choice("optimizer", "muon", adamw_betas=[0.9]), r"adamw_betas=\[0.9\]: must be two numbers"),
        (node("torch.optim.LBFGS", lr=1.0), "torch.optim.LBFGS: its step.* needs arguments.* needs_closure = True"),
        (node("builtins.list"), "optimizer=own: builtins.list makes no torch.optim.Optimizer"),
        (node("torch.nn.Linear", out_features=3), "optimizer=own: torch.nn.Linear: "),
    ],
)
def test_an_optimizer_that_cannot_be_built(given, words):
    refused(words, optimizer, given)


def test_a_model_without_hidden_layers_is_refused():
    shallow = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    refused("optimizer=muon: .* choose a deeper model", optimizer, load_choice("optimizer", "muon"), shallow)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (node("sweeper.schedules.cosin"), "sweeper.schedules has no 'cosin'; did you mean 'cosine'"),
        (load_choice("schedule", "cosine", warmup=0.1), "schedule.warmup: .* did you mean 'warmup_fraction'"),
        (load_choice("schedule", "cosine", warmup_fraction=2), r"schedule=cosine: .* warmup_fraction=2: must lie in"),
        (load_choice("schedule", "cosine", final_fraction=-0.1), r"final_fraction=-0.1: must lie in \[0, 1\]"),
        (load_choice("schedule", "step", milestones=[0.5, 1.5]), r"milestones\[1\]=1.5: must lie in \[0, 1\]"),
        (load_choice("schedule", "step", gamma=5), r"gamma=5: must lie in \[0, 1\]"),
        (load_choice("schedule", "wsd", decay_fraction=float("nan")), "decay_fraction=nan: must lie in"),
        (node("torch.optim.lr_scheduler.ReduceLROnPlateau"), "isn't an LRScheduler whose step.* needs no arguments"),
        (node("torch.optim.lr_scheduler.StepLR"), "schedule.step_size: missing"),
        (node("torch.optim.SGD"), "schedule=own: torch.optim.SGD: "),
    ],
)
def test_a_schedule_that_cannot_be_built(given, words):
    refused(words, schedule, given)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_package", "importing own_broken failed: No module named 'no_such_package'"),
        ("def net(:", "importing own_broken failed: "),
        ("raise RuntimeError('first\\nsecond')", "importing own_broken failed: first second$"),
        (
            "from torch import nn\ndef net(num_classes): return nn.Sequential(nn.Flatten(), nn.MaxPool1d(16))",
            "model=own: own_broken.net has no trainable parameters",
        ),
        ("import sys; sys.exit(3)", r"importing own_broken failed: sys.exit\(3\)$"),
        ("from torch import nn\nclass Net(nn.Module): pass", "own_broken has no 'net'; did you mean 'Net'"),
        ("from torch import nn\nfrom math import sqrt\ndef other(): pass", "has no 'net'; there are: other$"),
        ("def net(num_classes):\n    raise ValueError('first\\nsecond')", "own_broken.net: first second$"),
        ("def net(num_classes):\n    raise ValueError", "own_broken.net: ValueError$"),
    ],
)
def test_a_users_module_that_fails(source, words, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_broken", raising=False)
    (tmp_path / "own_broken.py").write_text(source)
    refused(words, model, node("own_broken.net"))


OF_DEVICE = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB). Tried to allocate 2.00 GB on private pool."),
    RuntimeError("CUDA error: unspecified launch failure"),
]


class Full(torch.optim.SGD):
    """Allocates its state when it is made, as torch's Adagrad does, on a GPU that other runs have filled."""

    def __init__(self, params, lr=0.1, which=0):
        raise OF_DEVICE[which]


class Huge(nn.Module):
    """Of more weights than the host has memory for."""

    def __init__(self, num_classes):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 768000000000 bytes.")


@pytest.mark.parametrize("which", range(len(OF_DEVICE)))
def test_what_the_device_lacks_is_no_bad_value(which):
    """It is told as such, and beside other runs this one goes on when there is room."""
    with pytest.raises(type(OF_DEVICE[which]), match=r"out of memory|CUDA error"):
        optimizer(node(f"{__name__}.Full", which=which))


def test_a_model_too_large_for_the_host_is_named():
    refused("Huge: DefaultCPUAllocator: can't allocate memory", model, node(f"{__name__}.Huge"))


@pytest.mark.parametrize("failure", OF_DEVICE)
def test_a_full_gpu_does_not_choose_another_implementation(monkeypatch, failure):
    """Whether a step can be a part of a graph is tried out; what has no room has not been tried."""
    zeros = torch.zeros

    def on_cpu(*size, device):
        return zeros(*size)

    def step(self):
        raise failure

    monkeypatch.setattr(torch, "zeros", on_cpu)
    monkeypatch.setattr(torch.optim.SGD, "step", step)
    with pytest.raises(type(failure), match=r"out of memory|CUDA error"):
        _without_host(load_choice("optimizer", "sgd"), torch.optim.SGD)


def refused(words: str, build, *arguments) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        build(*arguments)
    assert "\n" not in str(caught.value)
