"""The networks are the published ones, and their first weights belong to the seed alone."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import run_forked
from PIL import Image
from torch import nn

from sweeper import load_model
from sweeper.engine.build import build_model
from sweeper.models import resnet as models
from sweeper.models import zoo
from sweeper.models.resnet import GlobalMeanPool
from sweeper.system.random_streams import numpy_stream
from tests.engine.test_build import load_choice


def build(choice: str, shape=(3, 32, 32), num_classes: int = 10, seed: int = 1, **changed) -> nn.Module:
    return build_model(load_choice("model", choice, **changed), shape, num_classes, seed)


@pytest.mark.parametrize(
    ("choice", "shape", "num_classes", "parameters"),
    [
        ("resnet18", (3, 32, 32), 10, 11_173_962),
        ("resnet18", (3, 32, 32), 100, 11_220_132),
        ("resnet20", (3, 32, 32), 10, 272_474),
        ("cnn", (1, 8, 8), 10, 24_058),
        ("cnn1d", (1, 1, 40), 10, 4_285),
        ("mlp", (1, 8, 8), 10, 43_402),
        ("mlp", (1, 1, 40), 10, 40_330),
    ],
)
def test_parameter_counts(choice, shape, num_classes, parameters):
    net = build(choice, shape, num_classes)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert net.training


@pytest.mark.slow
def test_the_mlp_trains_on_images_that_are_not_square_cropped_and_flipped_too(tmp_path):
    colours = numpy_stream("mlp").integers(0, 256, (40, 6, 4, 3), dtype=np.uint8)
    for k, pixels in enumerate(colours):
        folder = tmp_path / "pets" / ("test" if k < 10 else "train") / f"class{k % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    usual = ("model=mlp", "model.width=8", "epochs=1", "batch_size=10", "device=cpu", "device.threads=1")
    changed = ("dataset=folder", "dataset.root=pets", "dataset.crop_padding=2", "dataset.flip=true")
    for data in (changed, ("dataset=mnist1d", "dataset.train_limit=100")):
        done = run_forked("train", *data, *usual, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    shapes = [
        json.loads(run.read_text())["environment"]["image_shape"] for run in tmp_path.glob("outputs/*/*/run.json")
    ]
    assert sorted(shapes) == [[1, 1, 40], [3, 6, 4]]
    (run,) = tmp_path.glob("outputs/folder-mlp/*")
    assert load_model(run).hidden[0][0].in_features == 3 * 6 * 4


def test_resnet20_with_the_papers_shortcuts_has_the_papers_count():
    """Table 6 of arXiv 1512.03385 says 0.27 M, with shortcuts that have no parameters (option A)."""
    net = build("resnet20")
    shortcuts = sum(p.numel() for name, p in net.named_parameters() if "shortcut" in name)
    assert shortcuts == 2752
    # 1 + 18 convolutions, batch norm's two vectors for each, and the classifier.
    convolutions = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
    assert 272_474 - shortcuts == convolutions + 2 * (7 * 16 + 6 * 32 + 6 * 64) + 64 * 10 + 10


@pytest.mark.parametrize(
    ("choice", "shape"),
    [
        ("resnet18", (3, 32, 32)),
        ("resnet18", (1, 28, 28)),
        ("resnet20", (3, 33, 20)),
        ("cnn", (1, 8, 8)),
        ("cnn", (3, 28, 28)),
        ("cnn1d", (1, 1, 40)),
        ("cnn1d", (3, 1, 33)),
        ("mlp", (3, 5, 5)),
        ("mlp", (3, 5, 4)),
        ("mlp", (1, 1, 40)),
    ],
)
def test_logits_and_gradients_for_every_shape_of_image(choice, shape):
    net = build(choice, shape, num_classes=7, width=4)
    logits = net(torch.randn(5, *shape))
    assert logits.shape == (5, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters() if p.ndim > 1)


def test_an_image_s_logits_do_not_depend_on_its_neighbours_in_evaluation():
    net = build("resnet20", width=4).eval()
    images = torch.randn(6, 3, 32, 32)
    torch.testing.assert_close(net(images)[2:3], net(images[2:3]))


def test_mlp_of_depth_0_is_a_linear_classifier():
    assert sum(p.numel() for p in build("mlp", (1, 8, 8), depth=0).parameters()) == 64 * 10 + 10


@pytest.mark.parametrize("choice", ["resnet20", "cnn", "mlp"])
def test_first_weights_belong_to_the_seed_alone(choice):
    torch.manual_seed(5)
    first = build(choice, width=4).state_dict()
    torch.manual_seed(77)
    torch.randn(3)
    state = torch.get_rng_state()
    again, other = build(choice, width=4).state_dict(), build(choice, width=4, seed=2).state_dict()
    assert torch.equal(torch.get_rng_state(), state), "the global generator must be left as it was"
    assert first.keys() == again.keys() and all(torch.equal(first[k], again[k]) for k in first)
    matrices = [k for k, v in first.items() if v.ndim > 1]
    assert matrices and not any(torch.equal(first[k], other[k]) for k in matrices)


def test_the_check_of_a_model_leaves_batch_norms_statistics_alone():
    fresh = nn.BatchNorm2d(4).state_dict()
    norm = build("cnn", (1, 8, 8), width=4).stage1.norm.state_dict()
    assert all(torch.equal(norm[k], fresh[k]) for k in fresh)


@pytest.mark.parametrize("training", [False, True])
def test_resnet18_is_torchvisions_with_another_stem(training):
    import torchvision

    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    generator = torch.Generator().manual_seed(1)
    for name, value in theirs.state_dict().items():
        if value.ndim == 1:  # norms and biases start at 0 and 1, where exchanged ones wouldn't show
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif "conv" in name:
            value.mul_(0.5)
    ours = build("resnet18")
    states = list(theirs.state_dict().values())
    assert len(states) == len(ours.state_dict())
    ours.load_state_dict(dict(zip(ours.state_dict(), states, strict=True)))
    images = torch.randn(2, 3, 32, 32, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(ours.train(training)(images), theirs.train(training)(images), rtol=1e-4, atol=1e-4)
    running = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    assert all(torch.allclose(a.float(), b.float(), rtol=1e-4, atol=1e-5) for a, b in running)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_mean_over_an_image_hands_its_gradient_back_in_the_images_order(order):
    x = torch.randn(5, 8, 3, 4, generator=torch.Generator().manual_seed(1)).contiguous(memory_format=order)
    x.requires_grad_()
    mean, expected = GlobalMeanPool()(x), x.mean((2, 3))
    assert torch.equal(mean, expected)
    grads = [torch.autograd.grad(y, x, torch.ones_like(y))[0] for y in (mean, expected)]
    assert torch.equal(*grads) and grads[0].is_contiguous(memory_format=order)


@pytest.mark.parametrize("module", [models, zoo])
def test_networks_are_textbook_code(module):
    """Written by torch's layers alone; what makes them fast is put in place after they are built."""
    tree = ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8")))
    used = {node.module for node in tree if isinstance(node, ast.ImportFrom)}
    assert {name for name in used if name.startswith("sweeper")} <= {"sweeper.models", "sweeper.models.resnet"}


@pytest.mark.parametrize("choice", ["resnet18", "resnet20", "cnn", "wide_resnet"])
def test_layers_are_torchs_own(choice):
    with torch.device("meta"):
        net = build_on_meta(choice)
    kinds = {type(module) for module in net.modules() if list(module.parameters(recurse=False))}
    assert kinds == {nn.Conv2d, nn.BatchNorm2d, nn.Linear}


def build_on_meta(choice: str) -> nn.Module:
    node = load_choice("model", choice)
    options = {key: value for key, value in node.items() if key not in ("name", "_target_", "_partial_")}
    network = getattr(models, choice, None) or getattr(zoo, choice)
    built: nn.Module = network(num_classes=10, in_channels=3, **options)
    return built
