"""The other families have the published sizes, and train."""

import json

import pytest
import torch
from conftest import TINY
from forked_children import run_all_forked
from torch.nn import functional

from tests.models.test_resnet import build

SMALL = {
    "wide_resnet": {"depth": 10, "widen_factor": 1},
    "densenet": {"growth_rate": 4, "layers_per_stage": 2},
    "mobilenet": {"width_multiplier": 0.25},
    "vit_tiny": {"width": 32, "depth": 2, "patch_size": 2},
}


@pytest.mark.parametrize(
    ("choice", "parameters"),
    [("wide_resnet", 36_479_194), ("densenet", 769_162), ("mobilenet", 2_236_682), ("vit_tiny", 5_362_762)],
)
def test_parameter_counts_are_the_published_ones(choice, parameters):
    """WRN-28-10 36.5 M and DenseNet-BC-100 0.8 M of their papers' tables; MobileNetV2 and DeiT-Ti less their heads."""
    with torch.device("meta"):
        net = _on_meta(choice)
    assert sum(p.numel() for p in net.parameters()) == parameters


def _on_meta(choice: str) -> torch.nn.Module:
    from sweeper.config.targets import load_target
    from tests.engine.test_build import load_choice

    node = load_choice("model", choice)
    options = {key: value for key, value in node.items() if key not in ("name", "_target_", "_partial_")}
    if choice == "vit_tiny":
        options["image_size"] = 32
    return load_target("model._target_", node["_target_"])(num_classes=10, in_channels=3, **options)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8)])
@pytest.mark.parametrize("choice", SMALL)
def test_each_learns_a_batch_by_heart(choice, shape):
    net = build(choice, shape, num_classes=4, **SMALL[choice])
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(16, *shape, generator=generator), torch.arange(16) % 4
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    losses = []
    for _ in range(15):
        loss = functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in net.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("choice", "option", "value"),
    [
        ("wide_resnet", "depth", 27),
        ("wide_resnet", "widen_factor", 0),
        ("densenet", "growth_rate", 0),
        ("mobilenet", "width_multiplier", 0),
        ("vit_tiny", "patch_size", 5),
        ("vit_tiny", "depth", 0),
        ("vit_tiny", "width", 129),
    ],
)
def test_values_out_of_range_are_refused(choice, option, value):
    from sweeper.system.errors import BadInput

    with pytest.raises(BadInput, match=f"{option}={value}: must"):
        build(choice, **{**SMALL[choice], option: value})


@pytest.mark.slow
def test_through_the_command_line(tmp_path):
    """Each under a name of its own, small, in one sweep."""
    (tmp_path / "own" / "model").mkdir(parents=True)
    for choice, options in SMALL.items():
        content = {"defaults": [choice, "_self_"], **options}
        (tmp_path / "own" / "model" / f"small_{choice}.yaml").write_text(json.dumps(content))
    models = ",".join(f"small_{choice}" for choice in SMALL)
    words = ("--config-dir", "own", f"model={models}", *TINY, "epochs=1", "optimizer=adamw")
    done = run_all_forked("train", "-m", *words, "hydra/launcher=basic", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/run.json")]
    assert [record["status"] for record in records] == ["completed"] * len(SMALL)
    assert {record["config"]["model"]["name"] for record in records} == set(models.split(","))
