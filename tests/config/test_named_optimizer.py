"""`optimizer=any` is the class that its name says, with the class's own defaults; a misspelt word is named with its
nearest."""

import inspect
import json
import sys

import pytest
from conftest import TINY
from forked_children import run_all_forked

from sweeper.config.grid import compose_grid
from sweeper.config.named_optimizer import PACKAGES, classes_of, complete, default_words
from sweeper.config.overrides import parse_overrides
from sweeper.config.targets import load_target
from sweeper.system.errors import BadInput

ANY = ("dataset=digits", "model=mlp", "optimizer=any")


def node(*words: str) -> dict:
    return compose_grid([*ANY, *words]).cells[0].config["optimizer"]


@pytest.fixture(scope="module")
def classes() -> list[str]:
    return [f"{package}.{name}" for package in PACKAGES for name in classes_of(package)]


def test_every_class_of_both_packages_is_completed_by_its_own_defaults(classes):
    assert len(classes) > 130 and {"torch.optim.SGD", "pytorch_optimizer.AdEMAMix"} <= {*classes}
    for path in classes:
        made, parameters = (
            complete({"_target_": None, "name": path}),
            inspect.signature(load_target("", path)).parameters,
        )
        assert (made.pop("name"), made.pop("_target_")) == (path.rpartition(".")[2].lower(), path)
        assert made.pop("_partial_") is True
        for option, value in made.items():
            default = parameters[option].default
            assert value == (list(default) if isinstance(default, tuple) else default), (path, option)
        json.dumps(made)  # as in a record


def test_its_defaults_as_overrides_are_the_same_run(classes):
    shown = {"_target_": None, "_partial_": True, "lr": None, "weight_decay": None, "betas": None, "eps": None}
    for path in classes:
        node = shown | {"name": path}
        said = parse_overrides(default_words(node))
        assert {one.is_add() for one in said if one.key_or_group[10:] not in shown} <= {True}
        assert complete(node | {one.key_or_group[10:]: one.value() for one in said}) == complete(node), path


def test_what_is_given_counts_more_than_the_default():
    assert node("optimizer.name=AdEMAMix") == {
        "name": "ademamix",
        "_target_": "pytorch_optimizer.AdEMAMix",
        "_partial_": True,
        "lr": 1e-3,
        "betas": [0.9, 0.999, 0.9999],
        "weight_decay": 0.0,
        "alpha": 5.0,
        "eps": 1e-8,
    }
    given = node("optimizer.name=AdEMAMix", "optimizer.lr=0.01", "+optimizer.alpha=8", "lr_factor=2")
    assert (given["lr"], given["alpha"]) == (0.02, 8)


def test_torchs_class_is_taken_before_the_others_of_its_name_in_any_case():
    assert node("optimizer.name=radam")["_target_"] == "torch.optim.RAdam"
    assert node("optimizer.name=pytorch_optimizer.RAdam")["_target_"] == "pytorch_optimizer.RAdam"


def test_a_switch_that_is_off_by_default_is_no_part_of_the_identity():
    off, given = (
        compose_grid([*ANY, "optimizer.name=SGD", *words]).cells[0] for words in ([], ["+optimizer.maximize=false"])
    )
    assert off.directory == given.directory and "maximize" not in off.config["optimizer"]
    assert node("optimizer.name=Lion", "+optimizer.weight_decouple=false")["weight_decouple"] is False, "on by default"


BAD = {
    "": "optimizer.name=null: optimizer=any needs the name of a class, such as optimizer.name=AdEMAMix",
    "optimizer.name=AdEMAMx": "optimizer.name=AdEMAMx: no optimizer class has this name; did you mean 'AdEMAMix'?",
    "optimizer.name=os.system": "optimizer.name=os.system: no optimizer class has this name",
    "optimizer.name=Optimizer": "optimizer.name=Optimizer: no optimizer class has this name",
    "optimizer.name=SGD +optimizer.momentun=0.9": "optimizer.momentun: torch.optim.SGD takes no such option; did you "
    "mean 'momentum'? (there are: dampening, differentiable, ",
    "optimizer.name=SGD optimizer.eps=1e-8": "optimizer.eps: torch.optim.SGD takes no such option",
    "optimizer.name=Lion +optimizer.momentun=0.9": "optimizer.momentun: pytorch_optimizer.Lion takes no such option",
    "optimizer.name=SGD optimizer.dampening=0": "optimizer.dampening=0: optimizer=any takes the arguments of its class "
    "with a plus; write +optimizer.dampening=0",
    "optimizer.name=SGD optimizer.args.dampening=0": "with a plus; write +optimizer.dampening=0",
    "optimizer.name=SGD +optimizer.dampening=much": "optimizer.dampening=much: must be a number; the default of "
    "torch.optim.SGD is 0",
    "optimizer.name=Adam optimizer.betas=0.9": "optimizer.betas=0.9: must be a list; the default of torch.optim.Adam "
    "is [0.9, 0.999]",
    "optimizer.name=Adam +optimizer.amsgrad=1": "optimizer.amsgrad=1: must be true or false; the default of "
    "torch.optim.Adam is false",
}


@pytest.mark.parametrize("words", BAD)
def test_a_misspelt_name_or_argument_is_refused_with_what_was_meant(words, refusal):
    assert BAD[words] in refusal(*ANY, *words.split())


def test_a_name_without_any_is_refused(refusal):
    assert "only optimizer=any takes a name; for both kinds write -m --arm" in refusal("optimizer.name=Lion")


def test_without_the_extra_torchs_classes_are_there_and_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    assert node("optimizer.name=Adagrad")["_target_"] == "torch.optim.Adagrad"
    with pytest.raises(
        BadInput, match=r"pytorch_optimizer, which has more, isn't installed: pip install 'optimizer-sw"
    ):
        node("optimizer.name=AdEMAMix")


def test_a_pattern_of_all_optimizers_leaves_it_out():
    cells = compose_grid(["-m", "dataset=digits", "model=mlp", "optimizer=glob(a*)"]).cells
    assert [cell.config["optimizer"]["name"] for cell in cells][:2] == ["adafactor", "adagrad"]


def test_a_search_has_one_class_and_shows_its_name(refusal):
    words = ("-m", "experiment=search", *ANY, "optimizer.name=AdEMAMix,Lion")
    assert refusal(*words).startswith("optimizer.name=AdEMAMix,Lion: a search has one class of optimizer=any")
    grid = compose_grid([*words[:-1], "optimizer.name=AdEMAMix", "optimizer.weight_decay=0.01"])
    assert grid.search is not None and [*grid.search.bases] == ["ademamix"]


def test_two_of_them_are_two_rows_of_one_comparison(tmp_path):
    small = (*TINY, "model=mlp", "model.width=16", "hydra/launcher=basic")
    words = ("optimizer=any", "optimizer.name=AdEMAMix,Lion", "seed=1,2")
    done = run_all_forked("train", "-m", *small, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ademamix leads lion" in done.stdout or "lion leads ademamix" in done.stdout or " > " in done.stdout
    summary = (tmp_path / "outputs" / "summary.csv").read_text().splitlines()
    assert sorted(line.split(",")[2] for line in summary[1:]) == ["ademamix", "lion"]
