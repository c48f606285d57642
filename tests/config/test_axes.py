"""No value on a command line goes unused: an axis whose values give one run is refused by its name."""

import pytest

from sweeper.config.grid import compose_grid

SEARCH = ("experiment=search", "model=mlp")
ONE_RUN = {
    ("device.threads=1,2",): "device.threads=1,2",
    ("device=cpu,auto",): "device=cpu,auto",
    ("target_accuracy=0.1,0.5",): "target_accuracy=0.1,0.5",
    ("dataset.root=A,B", "seed=1,2"): "dataset.root=A,B",
    ("seed=1,2", "save_model=true,false"): "save_model=True,False",
    ("tracking=none,tensorboard",): "tracking=none,tensorboard",
    ("checkpoint_every=1,null",): "checkpoint_every=1,null",
    ("device.deterministic=true,false", "device.precision=fp32,bf16"): "device.deterministic=True,False",
}
NO_EFFECT = {
    ("optimizer.weight_decay=0", "weight_decay_factor=1,3"): "weight_decay_factor=1,3",
    ("epochs=3", "dataset.epochs=5,6"): "dataset.epochs=5,6",
    (*SEARCH, "optimizer=sgd", "optimizer.weight_decay=0"): "weight_decay_factor=tag(log,interval(0.1,10))",
}


@pytest.mark.parametrize("words", ONE_RUN)
def test_an_axis_that_is_no_part_of_a_runs_name_is_refused(words, refusal):
    line = refusal("-m", "dataset=digits", *words)
    assert line.startswith(f"{ONE_RUN[words]}: all values give one run, since a run's name doesn't depend on it; ")
    assert "tag=NAME" in line and "outputs=DIR" in line


@pytest.mark.parametrize("words", NO_EFFECT)
def test_an_axis_on_which_nothing_depends_is_refused(words, refusal):
    line = refusal("-m", "dataset=digits", *words)
    assert line.startswith(f"{NO_EFFECT[words]}: all values give one run, since nothing depends on it here; ")


def test_a_factor_says_what_it_multiplies_and_how_to_do_without_it(refusal):
    """A preset may have given it, so nobody can leave it out."""
    line = refusal("-m", "dataset=digits", "optimizer.weight_decay=0", "weight_decay_factor=1,3")
    assert "; it multiplies optimizer.weight_decay, which no optimizer here has as a number above 0: " in line
    assert line.endswith(": give weight_decay_factor=1")


@pytest.mark.parametrize("words", ["hydra.launcher.n_jobs=1,2", "hydra/launcher=joblib,basic"])
def test_hydras_options_have_one_value(words, refusal):
    assert refusal("-m", "dataset=digits", words) == f"{words}: it belongs to the whole sweep; give it one value"


@pytest.mark.parametrize("words", [("outputs=A,B",), ("outputs=A/${seed}", "seed=1,2")])
def test_a_sweep_has_one_folder(words, refusal):
    assert "a sweep has one folder of runs; give the command once for each" in refusal("-m", "dataset=digits", *words)


def test_plan_refuses_the_same(tmp_path, monkeypatch, capsys):
    from sweeper.plan.command import main

    monkeypatch.chdir(tmp_path)
    assert main(["-m", "dataset=digits", "target_accuracy=0.1,0.5"]) == 2
    assert "target_accuracy=0.1,0.5: all values give one run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (("device.precision=fp32,bf16,auto",), 3),
        (("lr_factor=1,1.0",), 1),  # the same value, spelt twice
        (("seed=1,1,01", "save_model=false,False"), 1),
        (("dataset.epochs=5,6", "tag=a,b"), 4),
        (("+optimizer.maximize=true,false",), 2),
        (("optimizer=sgd,adam", "optimizer.weight_decay=0,0.1", "weight_decay_factor=1,3"), 6),  # 0 has no factor
    ],
)
def test_every_other_axis_is_its_runs(words, runs):
    assert len(compose_grid(["-m", "dataset=digits", *words]).cells) == runs
