"""What is typed wrongly is shown in full as it must be typed, and that is taken: whole lists, in process; one command
as a user gives it."""

import doctest
import shlex
import subprocess
import sys

import pytest

from sweeper.config import spelling
from sweeper.config.grid import compose_grid
from sweeper.config.spelling import meant, right_choices, right_integers, split_values
from sweeper.system.errors import BadInput

# The words that a newcomer types, and those that the error says to type.
WORDS = {
    "lr=0.1,0.01": "-m optimizer.lr=0.1,0.01",
    "lr=[0.1,0.01]": "-m optimizer.lr=0.1,0.01",
    "learning_rate=1e-1,1e-2": "-m optimizer.lr=1e-1,1e-2",
    "weight_decay=1e-3,1e-4": "-m optimizer.weight_decay=1e-3,1e-4",
    "momentum=0.9,0.95": "-m optimizer.momentum=0.9,0.95",
    "bs=64,128": "-m batch_size=64,128",
    "seeds=1,2,3": "-m seed=1,2,3",
    "noise=0.2,0.4": "-m noise=symmetric noise.rate=0.2,0.4",
    "noise=none,0.2": "-m noise=symmetric noise.rate=0,0.2",
    "epochs=1e3,2e3": "-m epochs=1000,2000",
    "batch_size=1e2": "batch_size=100",
    "seed=1-3,5": "-m seed=1,2,3,5",
    "seed=1-3": "-m 'seed=range(1,4)'",
    "seed=(1,2)": "-m seed=1,2",
    "dataset=CIFAR-10,mnist1D": "-m dataset=cifar10,mnist1d",
    "optimizer=adam,sdg,lion": "-m optimizer=adam,sgd,lion",
    "optimizer=Adam,SDG": "-m optimizer=adam,sgd",
    "optimizer='adam sgd'": "-m optimizer=adam,sgd",
    "'optimizer=adam;sgd'": "-m optimizer=adam,sgd",
    "optimizer=adam,,sgd": "-m optimizer=adam,sgd",
    "optimizer=adam,sgd,": "-m optimizer=adam,sgd",
    "scheduler=cosine,none": "-m schedule=cosine,constant",
    "optimizer=adam betas=0.9,0.99": "'optimizer.betas=[0.9,0.99]'",
    "optimizer=adam optimizer.betas=0.9,0.99": "'optimizer.betas=[0.9,0.99]'",
    "optimizer=adam 'optimizer.betas=(0.9, 0.99)'": "'optimizer.betas=[0.9,0.99]'",
    "optimizer=adam optimizer.betas=[0.9, 0.99]": "'optimizer.betas=[0.9,0.99]'",
    "dataset=ImageNet,digits": '-m --arm "ImageNet: dataset=folder dataset.root=DIR" --arm "digits: dataset=digits"',
    "optimizer=adam, sgd": "-m optimizer=adam,sgd",
    "optimizer=adam , sgd": "-m optimizer=adam,sgd",
    "optimizer=adam ,sgd": "-m optimizer=adam,sgd",
    "optimizer= adam,sgd": "-m optimizer=adam,sgd",
    "optimizer = adam, sgd, lion": "-m optimizer=adam,sgd,lion",
    "optimizer=adam sgd lion": "-m optimizer=adam,sgd,lion",
    "optimizer=adam, sdg": "-m optimizer=adam,sgd",
    "dataset=digits, mnist1d": "-m dataset=digits,mnist1d",
    "seed=1, 2": "-m seed=1,2",
    "tag=a, b": "-m tag=a,b",
    "outputs=my runs": "'outputs=my runs'",
    "epochs 10": "epochs=10",
    "--optimizer adam, sgd": "-m optimizer=adam,sgd",
    "--noise 0.2": "noise=symmetric noise.rate=0.2",
    "-momentum 0.9": "optimizer.momentum=0.9",
    "adam": "optimizer=adam",
    "noise=20%,0.4": "-m noise=symmetric noise.rate=0.2,0.4",
    "noise=20,40": "-m noise=symmetric noise.rate=0.2,0.4",
    "optimizer=adma,sgd": "-m optimizer=adam,sgd",
    "label_noise=0.2": "noise=symmetric noise.rate=0.2",
    "label_smoothing=10%": "label_smoothing=0.1",
    "label_smoothing=12.3456789%": "label_smoothing=0.123456789",
    "noise=12.3456789%": "noise=symmetric noise.rate=0.123456789",
    "noise=12.3456789%,0.4": "-m noise=symmetric noise.rate=0.123456789,0.4",
    "optimizer=all": "-m 'optimizer=glob(*)'",
    "optimizer=ada*,sgd": "-m 'optimizer=glob([ada*,sgd])'",
    "optimizer=torch.optim.SGD": "optimizer=any optimizer.name=torch.optim.SGD",
    "optimizer=sgd,Adamax": '-m --arm "sgd: optimizer=sgd" --arm "Adamax: optimizer=any optimizer.name=Adamax"',
    "'optimizer=Adam(lr=0.1)'": "optimizer=adam optimizer.lr=0.1",
    "optimizer=adam:lr=0.1,weight_decay=0": "optimizer=adam optimizer.lr=0.1 optimizer.weight_decay=0",
    "optimizer.lr:0.1": "optimizer.lr=0.1",
    "optimizer=any name=Lion": "optimizer.name=Lion",
    "optim=adam": "optimizer=adam",
    "dataset=ylecun/mnist": "dataset=hub dataset.name=ylecun/mnist",
    "data=./pictures": "dataset=folder dataset.root=./pictures",
    "--workers 4": "dataset.workers=4",
}


def write(line: str) -> str:
    """What a refused line says to type."""
    words = line.partition("did you mean " if "did you mean -m " in line else "rite ")[2]
    return words.partition("? (there are")[0].partition("; there are")[0]


@pytest.mark.parametrize("sweep", [[], ["-m"]], ids=["alone", "-m"])
@pytest.mark.parametrize("typed", WORDS)
def test_the_words_to_type_are_whole(typed, sweep):
    with pytest.raises(BadInput) as refused:
        compose_grid([*sweep, *shlex.split(typed)])
    line = str(refused.value).replace("several are a sweep, ", "write ")
    assert write(line) == WORDS[typed] and "\n" not in line


@pytest.mark.parametrize(
    "typed", [typed for typed, words in WORDS.items() if "=DIR" not in words and typed[:14] != "optimizer=any "]
)
def test_what_is_to_be_typed_is_taken(typed):
    kept = [word for word in shlex.split(typed)[:-1] if word == "optimizer=adam" and "betas" in typed]
    assert compose_grid([*kept, *shlex.split(WORDS[typed])]).cells


def test_a_value_of_a_device_is_suggested_though_its_sweep_is_none(refusal):
    assert "did you mean -m device=cuda,cpu? (there are: auto, cpu, cuda, mps)" in refusal("-m", "device=gpu,cpu")
    assert "since a run's name doesn't depend on it" in refusal("-m", "device=cuda,cpu")


@pytest.mark.parametrize("typed", ["1-3", "1..3", "1:3"])
def test_a_span_is_a_range_whose_end_is_excluded(typed):
    assert right_integers("seed", [typed]) == "-m 'seed=range(1,4)'"
    cells = compose_grid(["-m", "dataset=digits", "seed=range(1,4)"]).cells
    assert [cell.config["seed"] for cell in cells] == [1, 2, 3]


@pytest.mark.parametrize("typed", ["3-1", "1.5", "ten", "inf", "nan", "1e300", "-", "5,ten", "1-1000000,5"])
def test_nothing_is_suggested_for_what_means_no_integer(typed):
    assert right_integers("epochs", typed.split(",")) is None


def test_a_launchers_option_is_an_integer_too(refusal):
    words = ("-m", "dataset=digits", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1e1")
    assert refusal(*words) == "hydra.launcher.n_jobs=1e1: must be an integer; write hydra.launcher.n_jobs=10"


def test_a_value_that_is_like_no_choice_gets_no_list():
    assert right_choices("optimizer", ["adam", "xyz"], ["adam", "sgd"]) is None
    with pytest.raises(BadInput, match=r"^optimizer=xyz: there is no such optimizer; there are: adafactor, "):
        compose_grid(["-m", "optimizer=adam,xyz"])


def test_a_value_with_a_comma_in_quotes_is_one():
    assert split_values("'a, b', \"c,d\" ,e") == ["'a, b'", '"c,d"', "e"]
    assert meant("tag", ["'a, b'", "c"]) == shlex.join(["-m", "tag='a, b',c"])


def test_the_examples_hold():
    assert doctest.testmod(spelling).failed == 0


def test_a_space_after_a_comma_ends_the_command_in_a_line(tmp_path):
    command = [sys.executable, "-m", "sweeper.train", "-m", "optimizer=adam,", "sgd"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = "an option with its values is one word, without spaces; write -m optimizer=adam,sgd"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: optimizer=adam, sgd: {told}\n")
    assert list(tmp_path.iterdir()) == []
