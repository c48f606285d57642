"""Models and optimizers that can't train, or couldn't resume, are refused in one line before any training."""

import pytest
import torch

from sweeper.system.errors import BadInput
from sweeper.train.rehearse import rehearse
from tests.engine.test_loop import finish
from tests.engine.test_state import of_own

WITHOUT = "resumable=false trains it without checkpoints"


@pytest.mark.parametrize(
    ("optimizer", "model", "options", "words"),
    [
        ("Hidden", None, {}, f"optimizer=Hidden: a stopped run couldn't resume: it would .* the model's .*; {WITHOUT}"),
        (None, "HiddenCount", {}, f"model=HiddenCount: a stopped run couldn't resume: it would .* output; {WITHOUT}"),
        ("NeedsGraph", None, {}, "odd_optimizers.NeedsGraph fails in training: no graph of the gradients$"),
        ("SomeOnly", None, {}, "optimizer=SomeOnly: .* has 1 parameters in its groups, of 14 that the model trains"),
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
