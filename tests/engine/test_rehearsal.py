"""Models and optimizers that can't train, or couldn't resume, are refused in one line before any training."""

import subprocess
import sys

import pytest
import torch
from conftest import TINY, merged
from torch import nn

from sweeper.engine.rehearsal import _fails, _on_meta, check_batches
from sweeper.models import resnet
from sweeper.system.errors import BadInput
from sweeper.train.rehearse import rehearse
from tests.engine.test_loop import finish
from tests.engine.test_state import of_own
from tests.models.test_resnet import build
from tests.models.test_zoo import SMALL

WITHOUT = "resumable=false trains it without checkpoints"


@pytest.mark.parametrize(
    ("optimizer", "model", "options", "words"),
    [
        ("Hidden", None, {}, f"optimizer=Hidden: a stopped run couldn't resume: it would .* the model's .*; {WITHOUT}"),
        (None, "HiddenCount", {}, f"model=HiddenCount: a stopped run couldn't resume: it would .* output; {WITHOUT}"),
        ("NeedsGraph", None, {}, "odd_optimizers.NeedsGraph fails in training: no graph of the gradients$"),
        ("SomeOnly", None, {}, "optimizer=SomeOnly: .* has 1 parameter in its groups, of 14 that the model trains"),
        (None, "Auxiliary", {}, r"in training .* returns tuple, not \(2, 10\); .* by \+model.aux_logits=false$"),
        (None, "Auxiliary", {"aux_logits": True}, "switch auxiliary outputs off, by model.aux_logits=false$"),
        (None, "Normed", {}, "can't train an epoch's last batch, of 1: Expected more than 1 .* or drop_last=true$"),
    ],
)  # fmt: skip
def test_what_can_not_train_or_resume_is_refused(optimizer, model, options, words, tmp_path):
    config = of_own(optimizer, model, **options) | {"outputs": str(tmp_path / "outputs"), "batch_size": 299}
    if model != "Normed":
        config["batch_size"] = 100
    with pytest.raises(BadInput, match=words) as caught:
        rehearse([config])
    assert "\n" not in str(caught.value) and not (tmp_path / "outputs").exists()


def test_what_can_not_resume_trains_if_asked_with_a_warning(tmp_path, capsys):
    config = of_own("Hidden") | {"resumable": False, "outputs": str(tmp_path)}
    rehearse([config, config | {"seed": 2}, config | {"epochs": 3}])
    line = (
        "optimizer=Hidden: a run that is stopped begins anew, since it couldn't resume: it would differ in the model's"
    )
    err = capsys.readouterr().err
    assert err.startswith(line) and err.count("\n") == 1


def test_auxiliary_outputs_that_are_off_train(tmp_path):
    rehearse([of_own(None, "Auxiliary", aux_logits=False) | {"outputs": str(tmp_path)}])


def test_of_many_rates_one_is_rehearsed(tmp_path, monkeypatch):
    from sweeper.engine import rehearsal

    tried = []
    original = rehearsal.why_it_cannot_resume
    monkeypatch.setattr(
        rehearsal, "why_it_cannot_resume", lambda *given, **more: tried.append(1) or original(*given, **more)
    )
    configs = [of_own() | {"outputs": str(tmp_path), "seed": seed} for seed in (1, 2, 3)]
    for config, lr in zip(configs, (0.1, 0.2, 0.3), strict=True):
        config["optimizer"] = {**config["optimizer"], "lr": lr}
    rehearse(configs)
    assert len(tried) == 2  # the model and the optimizer


def test_a_rehearsal_changes_no_bit_of_a_run(tmp_path):
    config = of_own("Counter", "Counting") | {"outputs": str(tmp_path / "outputs")}
    torch.manual_seed(3)
    alone, state = finish(config, tmp_path / "alone"), torch.get_rng_state()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    rehearse([config])
    assert torch.equal(torch.get_rng_state(), before)
    assert finish(config, tmp_path / "rehearsed") == alone and torch.equal(torch.get_rng_state(), state)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("alone", "rehearsed")]
    assert weights[0] == weights[1]


class InPairs(nn.Module):
    """A user's model that takes an even number of images."""

    def __init__(self, most: int = 64) -> None:
        super().__init__()
        self.layer, self.most = nn.Linear(64, 10), most

    def forward(self, x):
        if len(x) > self.most:
            raise ValueError(f"more than {self.most}")
        return self.layer(x.reshape(-1, 2, 64)).flatten(0, 1)


@pytest.mark.parametrize(("sizes", "size"), [([66, 2], "a batch of 66"), ([64, 7], "an epoch's last batch, of 7")])
def test_a_users_model_gets_batches_of_an_epochs_sizes(sizes, size):
    node = {"_target_": "user.InPairs"}
    check_batches(node, InPairs(), (1, 8, 8), [64, 64, 2])
    with pytest.raises(BadInput, match=f"can't train {size}: "):
        check_batches(node, InPairs(), (1, 8, 8), sizes)


def test_a_model_of_ours_gets_at_most_two_images_and_an_epochs_last_one(monkeypatch):
    monkeypatch.delattr("sweeper.engine.rehearsal._on_meta")
    got = []
    net, node = resnet.resnet20(10, 1, width=4), {"_target_": "sweeper.models.resnet20"}
    net.register_forward_hook(lambda module, given, result: got.append(len(given[0])))
    check_batches(node, net, (1, 4, 4), [128, 80])
    assert set(got) == {2}
    with pytest.raises(BadInput, match="can't train an epoch's last batch, of 1: Expected more than 1 value"):
        check_batches(node, net, (1, 4, 4), [128, 1])


@pytest.mark.parametrize("choice", ["resnet18", "resnet20", "cnn", "mlp", *SMALL])
def test_a_model_of_ours_that_trains_two_images_trains_more(choice):
    net = build(choice, (3, 8, 8), num_classes=10, **SMALL.get(choice, {}))
    model = _on_meta(net.train())
    assert all(_fails(model, torch.empty(n, 3, 8, 8, device="meta"), 10) is None for n in (2, 3, 129))


def test_a_run_does_without_torchs_symbolic_shapes_and_compiler(tmp_path):
    """Their import takes as long as torch's own."""
    words = merged(*TINY, "dataset.train_limit=64", "epochs=1", "model=cnn", f"outputs={tmp_path}")
    code = f"""
import sys
sys.argv[1:] = {words}
from sweeper.train.command import main
print(main(), {{"sympy", "torch.fx.experimental.symbolic_shapes", "torch._dynamo.config"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines()[-1] == "0 set()", done.stderr
