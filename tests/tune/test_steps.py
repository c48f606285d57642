"""What `sweeper.tune` says that it will train, the words of each step, and what it refuses before anything starts."""

import pytest
from conftest import REPOSITORY, merged

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput
from sweeper.tune.steps import Options, plan_steps
from tests.tune.conftest import TASK

PLANS = {
    ("optimizer=sgd,lion", "decay_factor=0.5,1,2"): (
        "search: 18 runs, 9 each of sgd, lion, seed 101; a grid grows while its best run lies on the edge, 4 times at "
        "most; in outputs-tuning/digits-mlp-b778055d/\n"
        "confirmation: 8 runs, the 2 best of each with seeds 102 and 103; comparison: 10 runs, seeds 1 to 5; in "
        "outputs/"
    ),
    ("optimizer=sgd", "hydra.sweeper.extensions=1", "outputs=mine/here"): (
        "search: 3 runs of sgd, seed 101; a grid grows while its best run lies on the edge, once at most; in "
        "mine/here-tuning/digits-mlp-b778055d/\n"
        "confirmation: 4 runs, the 2 best with seeds 102 and 103; comparison: 5 runs, seeds 1 to 5; in mine/here/"
    ),
    ("optimizer=sgd", "optimizer.weight_decay=0", "hydra.sweeper.extensions=0"): (
        "search: 3 runs of sgd, seed 101; in outputs-tuning/digits-mlp-7e19ff06/\n"
        "confirmation: 4 runs, the 2 best with seeds 102 and 103; comparison: 5 runs, seeds 1 to 5; in outputs/"
    ),
}


def plan(*words, **options):
    return plan_steps(merged(*TASK, *words), Options(**options))


@pytest.mark.parametrize("words", PLANS)
def test_the_plan(words):
    assert "\n".join(plan(*words).describe()) == PLANS[words]


def test_other_numbers_of_settings_and_seeds():
    said = plan("optimizer=sgd,lion,adam", seeds=2).describe()[1]
    assert said.startswith(
        "confirmation: 12 runs, the 2 best of each with seeds 102 and 103; comparison: 6 runs, seeds "
    )
    assert "seeds 1 and 2;" in said
    assert plan("optimizer=sgd", seeds=1).describe()[1].endswith("comparison: 1 run, seed 1; in outputs/")
    assert plan("optimizer=sgd", seeds=101).seeds[-2:] == [100, 104], "none of the search's or the confirmation's"


def test_each_step_gets_the_words_that_are_for_it():
    own = ("optimizer.lr=0.2", "lr_factor=0.1,1,10", "dataset.validation_fraction=0.2", "hydra.sweeper.extensions=2")
    places = ("hydra/launcher=basic", "tracking=none", "outputs=here", "batch_size=50")
    steps = plan("optimizer=sgd", *own, *places, "-m")
    assert set(steps.search) == {
        "-m",
        "experiment=tune",
        *TASK,
        "optimizer=sgd",
        *own,
        *places[:2],
        "batch_size=50",
    } | {f"outputs='{steps.folder}'"}
    assert set(steps.placing) == {"device=cpu", *places[:2]}
    assert set(steps.comparison[2:]) == {"experiment=tuned", *TASK[:4], *places, "optimizer=sgd", "seed=1,2,3,4,5"}
    assert steps.comparison[1] == f"hydra.searchpath=['file://{steps.places.folder.resolve()}']"
    cells = compose_grid(steps.search).cells
    assert {cell.config["seed"] for cell in cells} == {101} and len(cells) == 3
    assert {cell.config["dataset"]["validation_fraction"] for cell in cells} == {0.2}


def test_ones_own_choices_are_known_in_every_step(tmp_path):
    (tmp_path / "own" / "optimizer").mkdir(parents=True)
    text = (REPOSITORY / "conf" / "optimizer" / "sgd.yaml").read_text(encoding="utf-8")
    (tmp_path / "own" / "optimizer" / "slow.yaml").write_text(text)
    steps = plan("optimizer=slow,sgd", "--config-dir", str(tmp_path / "own"), write=str(tmp_path / "new"))
    own, new = (f"'file://{(tmp_path / name).resolve()}'" for name in ("own", "new"))
    assert steps.search[-2] == f"hydra.searchpath=[{own}]"
    assert steps.comparison[1] == f"hydra.searchpath=[{own},{new}]"


def test_a_search_lies_in_one_folder_whatever_its_optimizers_and_each_search_in_its_own():
    def folder(*words):
        return plan(*words).folder

    one = folder("optimizer=sgd")
    assert folder("optimizer=lion,sgd", "hydra/launcher=basic", "device.threads=1") == one
    assert len({one, folder("optimizer=sgd", "epochs=3"), folder("optimizer=sgd", "optimizer.momentum=0.8")}) == 3


def test_the_smallest_grid_says_how_many_are_confirmed(tmp_path):
    """An optimizer without weight decay has one axis."""
    (tmp_path / "optimizer").mkdir()
    text = "_target_: torch.optim.Rprop\n_partial_: true\nname: rprop\nlr: 0.001\n"
    (tmp_path / "optimizer" / "rprop.yaml").write_text(text)
    words = ("optimizer=sgd,rprop", "decay_factor=0.3,1,3", "--config-dir", str(tmp_path))
    assert plan(*words, confirm=2).describe()[0].startswith("search: 12 runs, 9 of sgd, 3 of rprop, seed 101;")
    with pytest.raises(BadInput, match="--confirm 3: of a grid of 3 settings at most 2 are confirmed"):
        plan(*words, confirm=3)


def test_an_optimizer_on_which_no_factor_acts_is_named_with_what_to_do(tmp_path):
    (tmp_path / "optimizer").mkdir()
    text = "_target_: torch.optim.ASGD\n_partial_: true\nname: own\nalpha: 0.75\n"
    (tmp_path / "optimizer" / "own.yaml").write_text(text)
    own = ("--config-dir", str(tmp_path))
    with pytest.raises(BadInput, match=r"^optimizer=own: has one setting, .* no number of these names .*call what"):
        plan("optimizer=sgd,own", *own)
    alone = plan("optimizer=own", *own, "lr_factor=1", "decay_factor=1", "optimizer.alpha=0.6,0.7,0.8")
    assert alone.describe()[0].startswith("search: 3 runs of own, seed 101;")


REFUSED = {
    ("optimizer=sgd,loin",): "optimizer=loin: there is no such optimizer; did you mean -m optimizer=sgd,lion?",
    ("lr=0.1",): "lr=0.1: there is no option 'lr'; write optimizer.lr=0.1",
    ("--batch_size", "20"): "--batch_size 20: options have no dashes; write batch_size=20",
    ("seed=1,2,3",): "seed=1,2,3: search, confirmation and comparison have seeds of their own; leave it out",
    ("+seed=1",): "+seed=1: search, confirmation",
    ("seeds=3",): "seeds=3: --seeds N says how many seeds compare",
    ("experiment=quick",): "experiment=quick: it tunes by experiment=tune; give that preset's options as words",
    ("--arm", "a: optimizer=sgd"): "--arm 'a: optimizer=sgd': a preset has no arms; tune optimizers, or arms by exp",
    ("arms=mine",): "arms=mine: a preset has no arms",
    ("rerun=true",): "rerun=true: every step would train again; give another folder, outputs=DIR",
    ("hydra.searchpath=[x]",): "hydra.searchpath=[x]: name the folder by --config-dir DIR",
    ("tag=a,b",): "tag: a tuning has one value of it; give one",
    ("tag=a,b", "hydra.sweeper.extensions=0"): "there are several tasks, as of two lengths or schedules; tune each by",
    ("lr_factor=1,2",): "--confirm 2: of a grid of 2 settings at most 1 is confirmed; give more by lr_factor",
    (
        "lr_factor=1",
        "decay_factor=1",
    ): "there is one setting of each optimizer, so nothing to choose; leave the",
    ("dataset.validation_fraction=0",): "dataset.validation_fraction=0: a search chooses by validation images alone",
    ("optimizer=sgd", "optimizer.nesterov=false"): "the choice couldn't be written as a preset: ",
    (
        "optimizer=any",
        "optimizer.name=Adamax",
    ): "the choice couldn't be written as a preset: outputs-tuning/digits",
}


@pytest.mark.parametrize("words", REFUSED)
def test_wrong_words_are_refused_in_a_line(words):
    with pytest.raises(BadInput) as refused:
        plan(*words)
    assert str(refused.value).startswith(REFUSED[words]) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"confirm": 3}, "--confirm 3: of a grid of 3 settings at most 2 are confirmed; give --confirm 2 or less"),
        ({"name": "quick"}, "--name quick: there is a data set or a preset of this name; choose another"),
        ({"write": "conf/optimizer"}, "--write conf/optimizer: defaults aren't written to; give a folder for presets"),
    ],
)
def test_what_could_not_be_confirmed_or_written_is_refused_before_the_search(options, said):
    with pytest.raises(BadInput, match=said):
        plan("optimizer=sgd", **options)


def test_a_file_that_is_not_a_choices_is_seen_before_the_search(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("epochs: 3\n")
    with pytest.raises(BadInput, match=r"mine\.yaml: was not written by sweeper.choose and isn't replaced"):
        plan("optimizer=sgd", write=str(tmp_path), name="mine")
