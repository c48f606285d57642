"""A value of the wrong type or out of its range is refused in a line that names the option and what it may be."""

import pytest

from sweeper.config.grid import compose_grid

BAD = {
    "seed=-1": "seed=-1: must be an integer of at least 0",
    "seed=1.5": "seed=1.5: must be an integer",
    "seed=one": "seed=one: must be an integer",
    "seed=1..3": ": must be an integer; several are a sweep, -m 'seed=range(1,4)'",
    "epochs=0": "epochs=0: must be an integer of at least 1",
    "batch_size=0": "batch_size=0: must be an integer of at least 1",
    "optimizer.lr=-1": "optimizer.lr=-1: must be above 0",
    "optimizer.lr=nan": "optimizer.lr=nan: must be a finite number above 0",
    "optimizer.lr=inf": "optimizer.lr=inf: must be a finite number above 0",
    "optimizer.lr=null": "optimizer.lr=null: must be a number above 0",
    "optimizer.weight_decay=-1": "optimizer.weight_decay=-1: must be from 0",
    "optimizer.momentum=1": "optimizer.momentum=1: must be from 0 and below 1",
    "noise.rate=0.2": "choose e.g. noise=symmetric, or noise.rate=0; for both leave it out, or give two commands",
    "noise.rate=20": "noise.rate=20: must be from 0 to 1, such as 0.2",
    "device.precision=bf17": "did you mean 'bf16'?",
    "device.threads=0": "device.threads=0: must be an integer of at least 1",
    "dataset.train_limit=0": "dataset.train_limit=0: must be an integer of at least 1",
    "dataset.validation_fraction=1": "dataset.validation_fraction=1: must be from 0 and below 1",
    "dataset.test_fraction=0": "dataset.test_fraction=0: must be above 0 and below 1, such as 0.2",
    "target_accuracy=94": "target_accuracy=94: must be above 0 and at most 1, such as 0.95",
    f"target_accuracy=1{400 * '0'}": "…: too large a number; a float goes up to 1.8e308",
    f"schedule.warmup_fraction=-1{400 * '0'}": "…: too large a number; a float goes up to 1.8e308",
    "label_smoothing=-0.1": "label_smoothing=-0.1: must be from 0 and below 1",
    "label_smoothing=1": "label_smoothing=1: must be from 0 and below 1",
    "label_smoothing=1.00000001": "label_smoothing=1.00000001: must be from 0 and below 1",
    "label_smoothing=nan": "label_smoothing=nan: must be a finite number from 0 and below 1",
    "label_smoothing=much": "label_smoothing=much: must be a number",
    "clip_grad_norm=0": "clip_grad_norm=0: must be above 0; null turns it off",
    "clip_grad_norm=-1": "clip_grad_norm=-1: must be above 0; null turns it off",
    "clip_grad_norm=inf": "clip_grad_norm=inf: must be a finite number above 0; null turns it off",
    "clip_grad_norm=true": "clip_grad_norm=true: must be a number",
    "ema=0": "ema=0: must be above 0 and below 1, such as 0.999; null turns it off",
    "ema=1": "ema=1: must be above 0 and below 1, such as 0.999; null turns it off",
    "ema=nan": "ema=nan: must be a finite number above 0 and below 1, such as 0.999; null turns it off",
    "ema=slow": "ema=slow: must be a number",
    "drop_last=perhaps": "drop_last=perhaps: must be true or false",
    "rerun=perhaps": "rerun=perhaps: must be true or false",
    "tag=": "tag=: nothing is given; give a name, or leave it out",
    "outputs=": "outputs=: nothing is given",
    "outputs=\\${y}/runs": "outputs=${y}/runs: Hydra would replace the ${…} in /",
}


@pytest.mark.parametrize("override", BAD)
def test_a_value_out_of_its_range_is_refused(override, refusal):
    assert BAD[override] in refusal("dataset=digits", override)


def test_runs_in_a_place_that_hydra_would_replace_are_refused(refusal, tmp_path, monkeypatch):
    (here := tmp_path / "${y}").mkdir()
    monkeypatch.chdir(here)
    line = refusal("-m", "dataset=digits", "outputs=runs")
    assert line == f"outputs=runs: Hydra would replace the ${{…}} in {here}/runs; choose another folder"


def test_noise_rate_above_one_is_refused(refusal):
    assert refusal("noise=symmetric", "noise.rate=1.5") == "noise.rate=1.5: must be from 0 to 1, such as 0.2"


def test_one_bad_cell_stops_the_whole_sweep_before_it_starts(refusal):
    line = refusal("-m", "dataset=digits", "optimizer=sgd,adam", "epochs=3,2,0")
    assert line == "epochs=0: must be an integer of at least 1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=${oc.env:NUMBER}"], "optimizer.lr=${oc.env:NUMBER}: 0.05 is a text and must be a number"),
        (
            ["optimizer=adam", "optimizer.betas=[${oc.env:NUMBER},0.9]"],
            "optimizer.betas[0]=0.05: is a text and must",
        ),
        (["optimizer=mine"], "optimizer.lr=0.05: is a text and must be a number above 0"),
    ],
)
def test_a_text_that_looks_like_a_number_is_said_to_be_one(words, said, refusal, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NUMBER", "0.05")
    conf = tmp_path_factory.mktemp("conf")
    (conf / "optimizer").mkdir()
    (conf / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: ${oc.env:NUMBER}\n")
    line = refusal("dataset=digits", "--config-dir", str(conf), *words)
    name = said.partition("=")[0].partition("[")[0]
    assert line.startswith(said) and line.count("\n") == 0
    how = f'{name}="${{oc.decode:${{oc.env:NUMBER}}}}"'
    assert line.endswith(f"by oc.decode, '{how.replace('NUMBER', 'NAME')}'")
    if name == "optimizer.lr":
        assert compose_grid(["dataset=digits", how]).cells[0].config["optimizer"]["lr"] == 0.05
