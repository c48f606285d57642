"""Two models have the same construction if they compute the same but for the values of their tensors, and only then."""

import pytest
import torch
from networks import NETWORKS, bottlenecks, made, timms
from torch import nn
from torch.nn.utils import parametrizations

from sweeper.engine.construction import construction
from sweeper.models import resnet, zoo


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 4))


def tied(places: list[int]) -> nn.Sequential:
    layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
    return nn.Sequential(*(layers[place] for place in places))


def with_tied_weights(place: int) -> nn.Sequential:
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
    net[2].weight = net[place].weight
    return net


class Own(nn.Conv2d):
    pass


def owns() -> nn.Sequential:
    net = small()
    net[0] = Own(3, 4, 3)
    return net


def test_seeds_and_trained_weights_make_no_difference():
    one, other = made("resnet18", seed=0), made("resnet18", seed=1)
    with torch.no_grad():
        other(torch.rand(2, 3, 8, 8))
    assert construction(one) == construction(other) is not None


@pytest.mark.parametrize(
    "build",
    [
        lambda: resnet.mlp(10, (3, 8, 8), width=16, depth=2),
        lambda: zoo.densenet(10, 3, growth_rate=4, layers_per_stage=1),
        lambda: zoo.mobilenet(10, 3, width_multiplier=0.25),
        NETWORKS["torchvision"],
        bottlenecks,
    ],
)
def test_models_of_known_packages_have_one(build):
    assert construction(build()) == construction(build()) is not None


CHANGES = {
    "another mode": lambda net: net.eval(),
    "a layer's mode": lambda net: net[1].eval(),
    "an option": lambda net: setattr(net[0], "stride", (2, 2)),
    "a number": lambda net: setattr(net[1], "eps", 1e-3),
    "a frozen weight": lambda net: net[4].weight.requires_grad_(False),
    "another dtype": lambda net: net[4].double(),
    "no bias": lambda net: setattr(net[4], "bias", None),
    "another layer": lambda net: net.__setitem__(2, nn.GELU()),
    "another shape": lambda net: net.__setitem__(4, nn.Linear(4, 5)),
    "one layer more": lambda net: net.append(nn.Identity()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_computes_otherwise_has_another(change):
    net = small()
    change(net)
    assert construction(net) not in (None, construction(small()))


def test_layers_and_weights_in_two_places_have_others():
    kinds = [construction(tied(places)) for places in ([0, 1, 0], [0, 1, 1], [0, 0, 1])]
    kinds += [construction(with_tied_weights(place)) for place in (0, 1, 2)]
    assert None not in kinds and len(set(kinds)) == 6


UNKNOWN = {
    "a user's class": timms,
    "a layer of a user's class": owns,
    "a hook": lambda: (net := small(), net[0].register_forward_hook(lambda *_: None))[0],
    "a hook before": lambda: (net := small(), net[0].register_forward_pre_hook(lambda *_: None))[0],
    "a forward pass of its own": lambda: (net := small(), setattr(net[0], "forward", lambda x: x))[0],
    "a weight that is computed": lambda: (net := small(), parametrizations.weight_norm(net[4]))[0],
    "a tensor as an attribute": lambda: (net := small(), setattr(net[0], "scale", torch.ones(2)))[0],
}


@pytest.mark.parametrize("build", UNKNOWN.values(), ids=UNKNOWN)
def test_what_may_depend_on_more_has_none(build):
    assert construction(build()) is None
