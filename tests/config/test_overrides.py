"""What is misspelt on the command line is refused with the nearest right name; patterns and ranges are their values."""

import shlex
import subprocess
import sys
import warnings

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeper.config.grid import compose_grid
from sweeper.config.overrides import MOST_RUNS, parse_overrides, sweep_values
from sweeper.system.errors import BadInput

BAD = {
    "optimizer=loin": "there is no such optimizer; did you mean 'lion'?",
    "noise=symetric": "did you mean 'symmetric'?",
    "experiment=gird": "did you mean 'grid'?",
    "hydra/launcher=jolib": "did you mean 'joblib'?",
    "hydra/launcher=nope": "there is no such hydra/launcher; there are: basic, joblib, local, packed, ",
    "hydra/lancher=joblib": "did you mean 'hydra/launcher'?",
    "device=gpu": "there is no such device; did you mean 'cuda'?",
    "device=cuda:0": "did you mean 'cuda'?",
    "device=gpu:0": "did you mean 'cuda'?",
    "device=0": "did you mean 'cuda'?",
    "device.kind=gpu:0": "did you mean 'cuda'?",
    "optimizer=adma": "did you mean 'adam'?",  # two neighbouring letters are swapped; of adan one is another
    "optimizer.mometnum=0.9": "did you mean 'optimizer.momentum'?",
    "noise=20": "noise=20: there is no such noise; write noise=symmetric noise.rate=0.2",
    "noise=200": "noise=200: there is no such noise; there are: ",
    "device=cuda:1": "there is no such device; write device=cuda, and CUDA_VISIBLE_DEVICES=1 before the command",
    "optimizer=AdEMAMix": "there is no such optimizer; write optimizer=any optimizer.name=AdEMAMix; there are: ",
    "dataset=CIFAR-10": "did you mean 'cifar10'?",
    "dataset=FashionMNIST": "did you mean 'fashion_mnist'?",
    "dataset=ImageNet": "dataset=ImageNet: there is no such dataset; write dataset=folder dataset.root=DIR",
    "noise=0.2": "noise=0.2: there is no such noise; write noise=symmetric noise.rate=0.2",
    "schedule=none": "did you mean 'constant'?",
    "epochs=1e3": ": must be an integer; write epochs=1000",
    "seed=1-3": ": must be an integer; several are a sweep, -m 'seed=range(1,4)'",
    "optimizer=adam,": "optimizer=adam,: a value is missing after the last comma; write optimizer=adam",
    "optimizer": "options are given as name=value",
    "tag=foo(1)": "for the shell: \"tag='foo(1)'\" (Unknown function 'foo')",
    "seed=extend_list(1)": "seed=extend_list(1): can't be read",  # Hydra 1.4 has it, 1.5 won't
    "tag=[": "can't be read; quote the value for Hydra and all of it for the shell: \"tag='['\"",
    "=": "=: options are given as name=value",
    "seed=range(1,3": "seed=range(1,3: a bracket isn't closed; write -m 'seed=range(1,3)'",
    "--arm 'a: seed=1'": '--arm stands before the quotes; write --arm "a: seed=1"',
    "seed=1,": "seed=1,: a value is missing after the last comma",
    "optimizer=[adam,sgd]": "a run has one optimizer; several are a sweep: -m optimizer=adam,sgd",
    "+optimizer=adam": "+optimizer=adam: leave out the +",
    "~optimizer": "~optimizer: every option and group is needed",
    "hydra.job.chdir=true": "hydra.job.chdir=true: where runs lie follows from their names; choose the folder",
    "hydra.sweep.dir=elsewhere": "choose the folder by outputs=DIR",
    "hydra/launcher=slurm_schema": "there is no such hydra/launcher",
    "optimizer=1": "optimizer=1: there is no such optimizer; there are: ",
    "+foo=1": "nothing reads an added option 'foo'",
    "optimizer=null": "a run needs a choice of optimizer",
    "device=interval(0,1)": "give the values one by one, e.g. device=1,2,3",
    "tag=${oc.decode:${oc.env:A}}": "quote the value for Hydra and all of it for the shell: 'tag=\"${oc.decode:",
}
BAD_SWEEPS = {
    "dataset=cifar11,digits": "dataset=cifar11: there is no such dataset; did you mean -m dataset=cifar10,digits?",
    "optimizer=glob(x*)": "no choice of optimizer fits; there are: adafactor, ",
    "seed=glob(*)": "no choice of seed fits; there are none",
    "seed=range(5,1)": "seed=range(5,1): no values; range(start, end) goes from start up to end, which it excludes",
    "optimizer.lr=interval(0,1)": "give the values one by one, e.g. optimizer.lr=1,2,3",
}


@pytest.mark.parametrize(
    "value", ["it's", 'a"b', """a'b"c""", "(p)", "e=q", "#1", "${", "a\\'b", "c:\\(x)\\"], ids=lambda value: value
)
def test_a_value_that_only_quotes_make_one_is_told_as_it_is_typed(value, refusal):
    told = refusal("dataset=digits", f"tag={value}").partition("for the shell: ")[2].rpartition(" (")[0]
    (word,) = shlex.split(told)
    assert parse_overrides([word])[0].value() == value


def test_a_quoted_value_that_ends_in_a_backslash_is_told_as_it_is_typed(refusal):
    told = refusal("dataset=digits", r"tag='end\'").partition("for the shell: ")[2].rpartition(" (")[0]
    assert parse_overrides(shlex.split(told))[0].value() == "end\\"


@pytest.mark.parametrize("override", BAD)
def test_an_override_that_names_nothing_is_refused_with_what_was_probably_meant(override, refusal):
    assert BAD[override] in refusal("dataset=digits", override)


@pytest.mark.parametrize("override", BAD_SWEEPS)
def test_a_sweep_of_no_values_is_refused(override, refusal):
    assert BAD_SWEEPS[override] in refusal("-m", "dataset=digits", override)


@pytest.mark.parametrize(("category", "is_refused"), [(DeprecationWarning, False), (UserWarning, True)])
def test_hydras_warnings_refuse_an_override_and_those_of_python_dont(category, is_refused, monkeypatch):
    """A later Python deprecates what the parser's library uses."""
    usual = OverridesParser.parse_overrides

    def parse(self, texts):
        warnings.warn("it will be removed", category, stacklevel=1)
        return usual(self, texts)

    monkeypatch.setattr(OverridesParser, "parse_overrides", parse)
    text = f"tag=tried_with_{category.__name__}"  # parsed for the first time
    if is_refused:
        with pytest.raises(BadInput, match="it will be removed"):
            parse_overrides([text])
    else:
        with pytest.warns(category):
            assert parse_overrides([text])[0].input_line == text


TWICE = {
    "epochs=10 epochs=20": "epochs is given twice: 10 and 20; give one (several values: epochs=10,20 with -m)",
    "optimizer=sgd optimizer=adam": "sgd and adam; give one (several values: optimizer=sgd,adam with -m)",
    "seed=1,2 seed=2 seed=3": "seed is given 3 times: 1,2, 2 and 3; give one (several values: seed=1,2,3 with -m)",
    "experiment=quick experiment=grid": "give one (several values: experiment=quick,grid with -m)",
    "optimizer.betas=[0.9,0.9] optimizer.betas=[0.8,0.9]": "twice: [0.9,0.9] and [0.8,0.9]; give one",
    "outputs=a outputs=b": "outputs is given twice: a and b; give one",  # a sweep has one folder
    "device=cpu device=cpu": "device is given twice: cpu and cpu; give one",
}


@pytest.mark.parametrize("words", TWICE)
def test_what_is_given_twice_is_refused_with_both_values(words):
    with pytest.raises(BadInput) as refused:
        compose_grid(["-m", *words.split()])
    assert str(refused.value).endswith(TWICE[words])


def test_epochs_given_twice_end_the_command_in_a_line(tmp_path):
    command = [sys.executable, "-m", "sweeper.train", "epochs=10", "epochs=20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr == f"error: {TWICE['epochs=10 epochs=20']}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["..", "../../etc/passwd", "/etc/passwd", "'😀'", "con.v2", "x" * 300, "a/b"])
def test_no_choice_that_is_not_listed_is_taken(value, refusal):
    assert refusal(f"optimizer={value}").startswith("optimizer=")


def test_the_types_of_plugins_options_are_not_listed_as_choices(refusal):
    assert "_schema" not in refusal("hydra/launcher=nope") + refusal("hydra/sweeper=nope")


def test_a_pattern_is_all_the_choices_that_fit():
    optimizers = [cell.config["optimizer"]["name"] for cell in compose_grid(["-m", "optimizer=glob(*dam)"]).cells]
    assert optimizers == ["adam", "nadam", "radam"]
    kept = compose_grid(["-m", "optimizer=glob([ada*,sg*],exclude=*w)", "dataset=digits"]).cells
    assert [cell.config["optimizer"]["name"] for cell in kept] == ["adafactor", "adagrad", "adam", "adan", "sgd"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=range(1,4)", ["seed=1", "seed=2", "seed=3"]),
        ("lr=0.1,1e-3", ["lr=0.1", "lr=0.001"]),
        ("optimizer=glob(*am)", ["optimizer=adam", "optimizer=nadam"]),
        ("betas=[0.9,0.99],[0.9,0.999]", ["betas=[0.9,0.99]", "betas=[0.9,0.999]"]),
    ],
)
def test_a_sweep_is_its_values_as_they_would_be_typed(text, values):
    (override,) = parse_overrides([text])
    key = override.key_or_group
    assert [f"{key}={value}" for value in sweep_values(override, {"optimizer": ["adam", "nadam", "sgd"]})] == values


@pytest.mark.parametrize("text", ["seed=range(1,1e12)", "seed=range(0,1,0)"])
def test_a_range_with_a_slip_in_it_ends_at_once(text):
    with pytest.raises(BadInput, match=f"more than {MOST_RUNS:,} values"):
        sweep_values(parse_overrides([text])[0], {})


def test_a_choice_that_a_folder_of_ones_own_has_names_the_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "new.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\n")
    with pytest.raises(BadInput, match=r"optimizer; mine/optimizer/new\.yaml is one: add --config-dir mine$"):
        compose_grid(["-m", "optimizer=new,sgd"])
    compose_grid(["-m", "--config-dir", "mine", "optimizer=new,sgd"])
