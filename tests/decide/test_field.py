"""A published field: what it is named by, which of its tasks is meant, and which records are no field."""

import shutil

import pytest
from made_runs import change_record, make_field

from sweeper.decide import field as module
from sweeper.decide.field import read_field, take_field
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "device=cpu", "optimizer=sgd,adam", "epochs=1")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field")
    make_field(folder, *SMALL, "seed=3,5", "noise=none")
    make_field(folder, *SMALL, "seed=1,2", "noise=symmetric", "noise.rate=0.2")
    return folder


@pytest.fixture
def copy(records, tmp_path):
    return shutil.copytree(records, tmp_path / "field")


def test_options_of_the_protocol_choose_the_task(records):
    field = read_field(str(records), ["optimizer=lion", "noise=none", "optimizer.lr=7"])
    assert field.seeds == (3, 5) and list(field.runs) == ["sgd", "adam"] and field.data == "d" * 8
    assert "no label noise" in field.words() and "seeds 3, 5" in field.words()
    results = field.results()
    assert results["sgd"][3].score > results["adam"][3].score > 0.8
    assert field.directories()["sgd"][0].startswith("digits-mlp/sgd-seed3-")
    assert read_field(str(records), ["noise.rate=0.2"]).seeds == (1, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            [],
            "it has 2 tasks: digits, mlp, no label noise; digits, mlp, 20 % .*; choose one, e.g. by noise=none$",
        ),
        (["epochs=7"], "epochs=7: against=.* fixes it: its runs were trained with epochs=1; leave it out"),
        (["noise=pair"], "noise=pair: against=.* trained with noise=none or symmetric; give one of these$"),
        (["device.precision=fp32"], "device.precision=fp32: .* trained with device.precision=auto; leave it out$"),
    ],
)
def test_a_task_that_is_not_clear_is_refused_in_a_line(records, words, told):
    with pytest.raises(BadInput, match=told) as refused:
        read_field(str(records), words)
    assert "\n" not in str(refused.value)


def test_a_length_is_chosen_among_those_that_the_field_has(tmp_path):
    """And so is an option that some of its tasks have and others leave null."""
    folder, sgd = tmp_path / "field", ("dataset=digits", "model=mlp", "device=cpu", "optimizer=sgd,adam", "seed=1,2")
    for words in (("epochs=1",), ("epochs=2",), ("epochs=2", "dataset.train_limit=100")):
        make_field(folder, *sgd, *words)
    assert [read_field(str(folder), ["epochs=1"]).task.config["epochs"]] == [1]
    limited = read_field(str(folder), ["dataset.train_limit=100"])
    assert limited.task.config["dataset"]["train_limit"] == 100 and limited.others == ()
    for words, told in (
        (["epochs=15"], "epochs=15: .* trained with epochs=1 or 2; give one of these$"),
        (["epochs=1,2"], "epochs=1,2: .* trained with epochs=1 or 2; give one of these$"),
        (
            ["epochs=2", "dataset.train_limit=9"],
            "with dataset.train_limit=(null or 100|100 or null); give one of these$",
        ),
        (["dataset.train_limit=100", "epochs=1"], "epochs=1: .* trained with epochs=2; leave it out$"),
    ):
        with pytest.raises(BadInput, match=told):
            read_field(str(folder), words)


def test_tasks_that_no_option_tells_apart_are_refused_in_a_line(copy):
    """Such as settings that were tuned beside those that weren't."""
    for run in copy.glob("*/adam-seed3-*"):
        record_arms(copy, AskedRuns([run], tuned={run: "1 epoch"}, before={run: None}))
    told = "it has 2 tasks: .*, tuned at 1 epoch; no option tells them apart, so name a folder that has one$"
    with pytest.raises(BadInput, match=told):
        read_field(str(copy), ["noise=none"])


def test_a_file_names_a_folder_and_its_usual_task(records, tmp_path):
    (tmp_path / "against").mkdir()
    file = tmp_path / "against" / "mine.yaml"
    file.write_text(f"folder: {records}\ntask: noise=none\n")
    assert read_field("mine", [], str(tmp_path)).seeds == (3, 5)
    assert read_field("mine", ["noise=symmetric"], str(tmp_path)).seeds == (1, 2)
    for text, told in (
        ("folder: gone", "its records aren't in "),
        ("[]", "isn't a field"),
        ("task: a=b", "isn't a field"),
    ):
        file.write_text(text)
        with pytest.raises(BadInput, match=told):
            read_field("mine", [], str(tmp_path))
    with pytest.raises(BadInput, match=r"against=studdy: there is no such folder, .* did you mean 'study'"):
        read_field("studdy", [])


@pytest.mark.parametrize("name", ["study", "study_cifar10"])
def test_the_study_is_a_field(name):
    field = read_field(name, ["dataset=cifar10"])
    assert field.values("epochs") == ["100", "200"] and field.values("batch_size") == ["128"]
    assert len(field.seeds) >= 3 and {"sgd", "adamw", "lion", "muon"} <= set(field.runs)


def test_the_study_of_cifar_100_is_a_field():
    field = read_field("study_cifar100", [])
    assert field.words() == (
        "against=study_cifar100: cifar100, resnet18, no label noise, 100 epochs, tuned at 100 epochs; "
        "muon, sgd, lion, adamw, adam; seeds 1, 2, 3, 4, 5"
    )


def test_an_installation_without_the_study_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "against").mkdir()
    shutil.copy(module.CONF / "against" / "study.yaml", tmp_path / "against")
    monkeypatch.setattr(module, "CONF", tmp_path)
    with pytest.raises(
        BadInput, match=r"^against=study: its records lie in the project's repository, not in this inst"
    ):
        read_field("study", [])


def _spoil(folder) -> None:
    next(folder.glob("*/sgd-seed3-*/run.json")).write_text("{")


def _edit(folder) -> None:
    change_record(next(folder.glob("*/sgd-seed3-*")), result__final_test_accuracy=0.99)


def _other_data(folder) -> None:
    for run in folder.glob("*/*"):
        change_record(run, environment__data_digest=None)


def _one_seed(folder) -> None:
    shutil.rmtree(next(folder.glob("*/sgd-seed3-*")))


def _unfinished(folder) -> None:
    for run in folder.glob("*/*"):
        change_record(run, status=Status.INTERRUPTED, result=None)


def _empty(folder) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_spoil, "1 of 8 records can't be used; .*: not whole JSON"),
        (_edit, "1 of 8 records can't be used; .*metrics.csv"),
        (_other_data, "don't all hold one hash of the images"),
        (_one_seed, "needs two seeds that all of its optimizers have; runs ended: sgd 1, adam 2|adam 2, sgd 1"),
        (_unfinished, "none of its runs has ended"),
        (_empty, "there are no runs in "),
    ],
)
def test_records_that_are_no_field_are_refused_in_a_line(copy, harm, told):
    harm(copy)
    with pytest.raises(BadInput, match=told) as refused:
        read_field(str(copy), ["noise=none"])
    assert str(refused.value).startswith("against=") and "\n" not in str(refused.value)


def test_a_diverged_run_of_the_field_has_no_score(copy):
    change_record(next(copy.glob("*/sgd-seed3-*")), status="diverged", result__final_test_accuracy=None)
    result = read_field(str(copy), ["noise=none"]).results()["sgd"][3]
    assert result.diverged and result.score != result.score


def test_one_field_is_taken_from_the_words():
    assert take_field(["optimizer=lion", "+against=a/b"]) == ("a/b", ["optimizer=lion"])
    assert take_field(["optimizer=lion"]) == (None, ["optimizer=lion"])
    assert [take_field([word])[0] for word in ("against='a b'", 'against="~/a"', "against='a")] == ["a b", "~/a", "'a"]
    for words in (["against="], ["against=''"], ["against=a", "against=b"]):
        with pytest.raises(BadInput):
            take_field(words)


def test_a_run_of_the_field_that_was_trained_again_is_told(copy):
    run = next(copy.glob("*/sgd-seed3-*"))
    again = copy / "again" / run.parent.name / run.name
    shutil.copytree(run, again)
    change_record(again, status="diverged", result__final_test_accuracy=None)
    change_record(again, environment__started="2030-01-01T00:00:00Z")
    field = read_field(str(copy), ["noise=none"])
    assert field.repeats.startswith("1 repeat has another result: of each run the one with the earlier")
    assert not field.results()["sgd"][3].diverged and read_field(str(copy), ["noise.rate=0.2"]).repeats == ""
