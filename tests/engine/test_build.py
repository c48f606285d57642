"""What a `_target_` node names is built with what the run alone knows; a node that can't be built ends in one line."""

import sys

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from sweeper.config.grid import CONF
from sweeper.config.targets import load_target
from sweeper.engine.build import build_model, build_optimizer, build_schedule, hidden_weights
from sweeper.system.errors import BadInput

OWN_MODULE = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, size, activation):
        super().__init__()
        self.linear, self.activation = nn.Linear(size, size), activation

    def forward(self, x):
        return self.activation(self.linear(x))

def net(num_classes, in_channels, image_size, blocks, norm):
    size = in_channels * image_size**2
    return nn.Sequential(nn.Flatten(), norm(size), *blocks, nn.Linear(size, num_classes))

class SignSGD(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.data -= group["lr"] * p.grad.sign()

def halving(optimizer, total_steps):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 if 2 * step >= total_steps else 1.0)
"""


def load_choice(group: str, name: str, **changed) -> dict:
    """The node of `conf/<group>/<name>.yaml` as the run's configuration has it."""
    return {"name": name, **OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml")), **changed}


def node(target: str, **options) -> dict:
    return {"name": "own", "_target_": target, **options}


def model(given: dict, shape=(1, 8, 8)) -> nn.Module:
    return build_model(given, shape, num_classes=4, seed=1)


def optimizer(given: dict, of: nn.Module | None = None, decay_norms_and_biases: bool = False):
    return build_optimizer(given, of or model(load_choice("model", "cnn", width=2)), decay_norms_and_biases)


def schedule(given: dict, lr=0.1, total_steps: int = 10):
    return build_schedule(given, torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr), total_steps)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of the user's, in a folder that Python searches."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_parts.py").write_text(OWN_MODULE)


def test_a_users_own_parts_train_together(own_module):
    relu = {"_target_": "torch.nn.ReLU"}
    block = {"_target_": "own_parts.Block", "size": 64, "activation": relu}
    norm = {"_target_": "torch.nn.LayerNorm", "_partial_": True, "elementwise_affine": False}
    net = model(node("own_parts.net", blocks=[block, block], norm=norm))
    assert isinstance(net[1], nn.LayerNorm) and net[1].weight is None
    assert isinstance(net[2].activation, nn.ReLU) and net[2].linear is not net[3].linear
    signs = optimizer(node("own_parts.SignSGD", lr=0.1), net)
    halving = build_schedule(node("own_parts.halving"), signs, total_steps=4)
    before = net[-1].bias.detach().clone()
    rates = []
    for _ in range(4):
        net(torch.randn(8, 1, 8, 8)).logsumexp(1).sum().backward()
        signs.step()
        signs.zero_grad()
        rates += halving.get_last_lr()
        halving.step()
    assert rates == [0.1, 0.1, 0.05, 0.05]
    torch.testing.assert_close(before - net[-1].bias, torch.full((4,), 0.3))


def test_other_packages_models_and_schedules_are_built_as_they_are():
    net = build_model(node("torchvision.models.resnet18"), (3, 32, 32), num_classes=7, seed=1)
    assert net.fc.out_features == 7
    assert schedule(node("torch.optim.lr_scheduler.OneCycleLR", max_lr=0.1)).total_steps == 10
    assert schedule(node("torch.optim.lr_scheduler.OneCycleLR", max_lr=0.1, total_steps=99)).total_steps == 99
    assert schedule(node("torch.optim.lr_scheduler.StepLR", step_size=5)).step_size == 5


def test_a_lazy_model_gets_its_weights_from_the_seed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from torch import nn\ndef net(num_classes): return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))"
    )
    (tmp_path / "own_lazy.py").write_text(source)
    weights = [model(node("own_lazy.net"))[1].weight for _ in range(2)]
    assert torch.equal(*weights)


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
    refused("model=mlp: takes square images only; these are 8×9", model, load_choice("model", "mlp"), (1, 8, 9))


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
        (node("torch.optim.LBFGS", lr=1.0), "torch.optim.LBFGS isn't a torch.optim.Optimizer whose step.* a closure"),
        (node("builtins.list"), "optimizer=own: builtins.list isn't a torch.optim.Optimizer whose step"),
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


def refused(words: str, build, *arguments) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        build(*arguments)
    assert "\n" not in str(caught.value)


def test_targets_are_found_inside_classes_and_unimported_modules():
    assert load_target("x", "torch.Tensor.add_") is torch.Tensor.add_
    assert load_target("x", "wsgiref.util.shift_path_info").__name__ == "shift_path_info"


SMALL = {
    "resnet18": {"width": 2},
    "resnet20": {"width": 2},
    "cnn": {"width": 2},
    "mlp": {"width": 2},
    "wide_resnet": {"depth": 10, "widen_factor": 1},
    "densenet": {"growth_rate": 4, "layers_per_stage": 2},
    "mobilenet": {"width_multiplier": 0.25},
    "vit_tiny": {"width": 32, "depth": 2, "patch_size": 2},
}


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "muon"])
@pytest.mark.parametrize("choice", SMALL)
def test_weight_decay_leaves_norms_and_biases_alone_where_asked(name, choice):
    net = model(load_choice("model", choice, **SMALL[choice]))
    given = load_choice("optimizer", name)
    norms = (nn.BatchNorm2d, nn.LayerNorm)
    spared = {p for m in net.modules() if isinstance(m, norms) for p in m.parameters(recurse=False)}
    spared |= {p for path, p in net.named_parameters() if path.endswith("bias")}  # in_proj_bias of attention, too
    assert spared and len(spared) < len(list(net.parameters()))
    for decay_norms_and_biases in (False, True):
        decays = {}
        for group in optimizer(given, net, decay_norms_and_biases).param_groups:
            for p in group["params"]:
                assert p not in decays, "in two groups"
                decays[p] = group["weight_decay"]
        assert set(decays) == set(net.parameters())
        for path, p in net.named_parameters():
            is_decayed = decay_norms_and_biases or p not in spared
            possible = {given["weight_decay"], given.get("adamw_weight_decay")} if is_decayed else {0}
            assert decays[p] in possible, path


def test_frozen_parameters_are_in_no_group():
    net = model(load_choice("model", "cnn", width=2))
    net.stage1.requires_grad_(False)
    grouped = [p for group in optimizer(load_choice("optimizer", "muon"), net).param_groups for p in group["params"]]
    assert set(grouped) == {p for p in net.parameters() if p.requires_grad}


def test_an_optimizer_without_weight_decay_gets_one_group():
    assert len(optimizer(node("torch.optim.Rprop", lr=0.1)).param_groups) == 1


@pytest.mark.parametrize(
    ("choice", "hidden"),
    [
        ("cnn", {"stage2.conv.weight", "stage3.conv.weight"}),
        ("mlp", {"hidden.1.linear.weight", "hidden.2.linear.weight"}),
    ],
)
def test_muon_gets_the_hidden_weights_and_adamw_the_rest(choice, hidden):
    net = model(load_choice("model", choice, width=2))
    names = {p: name for name, p in net.named_parameters()}
    roles = {}
    for group in optimizer(load_choice("optimizer", "muon"), net).param_groups:
        roles |= {names[p]: group["role"] for p in group["params"]}
    assert {name for name, role in roles.items() if role == "hidden"} == hidden
    assert set(roles.values()) == {"hidden", "other"} and len(roles) == len(names)


def test_every_convolution_of_a_resnet_but_the_stem_is_hidden():
    net = model(load_choice("model", "resnet20", width=2))
    convolutions = {m.weight for m in net.modules() if isinstance(m, nn.Conv2d)}
    assert hidden_weights(net) == convolutions - {net.stem.conv.weight}


def test_a_network_that_ends_in_a_convolution_keeps_it_from_muon_and_embeddings_too():
    layers = [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)]
    assert hidden_weights(nn.Sequential(*layers)) == {layers[1].weight}
    embedding, tied = nn.Embedding(5, 4), nn.Linear(4, 5)
    tied.weight = embedding.weight
    inner = nn.Linear(4, 4)
    assert hidden_weights(nn.Sequential(nn.Linear(4, 4), embedding, tied, inner, nn.Linear(4, 4))) == {inner.weight}
