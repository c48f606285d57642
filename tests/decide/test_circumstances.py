"""Other images are refused before anything is trained; other devices and versions are named."""

from dataclasses import replace

import pytest
from made_runs import change_record, make_field

from sweeper.datasets.here import ImagesHere
from sweeper.decide.arms import read_arms
from sweeper.decide.circumstances import check_data, describe_differences
from sweeper.decide.field import read_field
from sweeper.decide.judge import judge
from sweeper.decide.newcomer import read_newcomers
from sweeper.decide.rule import Rule
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "device=cpu", "epochs=1", "seed=1,2")
ARMS = ("--arm", "old: optimizer=sgd", "--arm", "new: optimizer=lion", *SMALL[:-1])


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    return newcomer(tmp_path_factory.mktemp("against"))


def newcomer(folder):
    make_field(folder / "field", *SMALL, "optimizer=sgd,adam")
    field = read_field(str(folder / "field"), [])
    return read_newcomers(["optimizer=lion", "device=cpu", f"outputs={folder / 'own'}"], field, 2)


class Images(ImagesHere):
    """Pretends that images of these hashes are here, by an option of the data set."""

    def __init__(self, *hashes):
        super().__init__()
        self.hashes, self.read = hashes, []

    def hash(self, config):
        self.read.append(config["dataset"])
        return self.hashes[config["dataset"].get("part", 0)]


def judged(asked, looks=(2,)):
    rule = Rule(0.05, None, looks)
    return judge(asked.names, asked.results(), rule, asked.pairs if asked.field else None, asked.seeds)


def check(asked, here=None):
    check_data(asked, judged(asked), here)


def differences(asked):
    return describe_differences(asked, judged(asked))


def decision(folder, *more):
    return read_arms([*ARMS, *more, f"outputs={folder}"], 2)


def trained(folder, optimizer, seeds="1,2"):
    return make_field(folder, *SMALL[:-1], f"seed={seeds}", f"optimizer={optimizer}")


def test_images_that_are_not_the_fields_are_found_before_the_first_run(asked):
    told = r"the images here are others \(hash e{8}, the field's d{8}\), so there is no verdict"
    with pytest.raises(BadInput, match=told):
        check(asked, Images("e" * 8))
    check(asked, Images(""))  # on a cluster they may be elsewhere
    check(asked)


def test_a_missing_package_is_told_before_the_images(asked, monkeypatch):
    """Which are far away: then only the hashes couldn't be compared, and training would tell."""
    (by_seed,) = asked.cells.values()
    for cell in by_seed.values():
        monkeypatch.setitem(cell.config, "optimizer", cell.config["optimizer"] | {"_target_": "lions.Lion"})
        monkeypatch.setitem(cell.config, "dataset", cell.config["dataset"] | {"root": "nowhere"})
    with pytest.raises(BadInput, match=r"^optimizer\._target_=lions\.Lion: no package 'lions'; install it"):
        check(asked, ImagesHere())


def test_what_runs_recorded_is_compared(asked):
    assert differences(asked) == ""
    (first,) = make_field(asked.outputs, *SMALL[:-1], "seed=1", "optimizer=lion")
    with pytest.raises(BadInput, match=r"\(hash e{8}, the field's d{8}\)"):
        check(asked, Images("e" * 8))  # before it goes on
    (second,) = make_field(asked.outputs, *SMALL[:-1], "seed=2", "optimizer=lion")
    check(asked)
    assert differences(asked) == ""
    change_record(first, environment__device="cuda", environment__precision="bf16", environment__versions__torch="2.9")
    assert differences(asked) == (
        "Not made alike: device cpu in the field, cpu and cuda here; precision fp32 in the field, bf16 and fp32 here; "
        "torch 2.8.0 in the field, 2.8.0 and 2.9 here."
    )
    change_record(first, environment__device="cpu", environment__precision="fp32", environment__versions__torch="2.8.0")
    change_record(first, environment__code={"lion": "1", "net": "1"})
    assert differences(asked) == ""  # the field's don't call it
    field = next(iter(next(iter(asked.field.runs.values())).values()))
    field.conditions["code of net"] = "2"
    assert differences(asked) == "Not made alike: code of net 2 in the field, 1 here."
    change_record(second, environment__data_digest="e" * 64)
    with pytest.raises(BadInput, match=r"\(hash e{8}, the field's d{8}\)"):
        check(asked)


def test_arms_on_other_images_have_no_verdict(tmp_path):
    """One arm before and one after they changed, or the same arms' seeds."""
    trained(tmp_path, "sgd")
    for run in trained(tmp_path, "lion"):
        change_record(run, environment__data_digest="e" * 64)
    with pytest.raises(BadInput) as refused:
        check(decision(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path}: its runs are of different images (hash dddddddd: old with seeds 1, 2; hash eeeeeeee: new with "
        "seeds 1, 2), so there is no verdict; decide on one set of images in another folder: outputs=DIR"
    )


def test_runs_that_are_not_looked_at_decide_nothing(tmp_path):
    """Of seeds after the last look, and failed ones, which have no result."""
    looks = (2, 3, 9)
    asked = read_arms([*ARMS, f"outputs={tmp_path}"], 9)
    trained(tmp_path, "sgd", "1,2,3")
    for run in trained(tmp_path, "lion", "1,2,3"):
        change_record(run, result__final_test_accuracy=0.5)
    (beyond,) = trained(tmp_path, "sgd", "9")
    change_record(beyond, environment__data_digest="e" * 64, environment__precision="bf16")
    ended, goes_on = judged(asked, looks[:2]), judged(asked, looks[2:])
    assert len(ended.looks) == 1 and not ended.waits and goes_on.waits == ("old", "new")
    check_data(asked, ended)
    assert describe_differences(asked, ended) == ""
    with pytest.raises(BadInput, match=r"its runs are of different images .*hash e{8}: old with seed 9"):
        check_data(asked, goes_on)
    change_record(beyond, environment__data_digest="d" * 64)
    assert describe_differences(asked, goes_on) == "Not made alike: precision bf16 and fp32 (old), fp32 (new)."
    change_record(beyond, status="failed")
    assert describe_differences(asked, goes_on) == ""


def test_the_images_of_arms_that_wait_alone_are_read(tmp_path):
    asked = decision(tmp_path)
    for part, arm in enumerate(asked.cells):
        asked.cells[arm][1].config["dataset"]["part"] = part
    trained(tmp_path, "sgd")
    images = Images("e" * 8, "d" * 8)
    check(asked, images)
    assert [dataset["part"] for dataset in images.read] == [1]


def test_of_a_field_what_is_compared_is_told(tmp_path):
    """Another seed of one of its optimizers isn't looked at."""
    asked = newcomer(tmp_path)
    make_field(asked.outputs, *SMALL, "optimizer=lion")
    runs = asked.field.runs["adam"]
    other = replace(runs[1], conditions=runs[1].conditions | {"precision": "bf16"})
    field = replace(asked.field, runs=asked.field.runs | {"adam": runs | {7: other}})
    assert differences(replace(asked, field=field)) == ""


def test_a_decision_does_not_go_on_with_other_images_than_it_began_with(tmp_path):
    begun = decision(tmp_path)
    images = Images("e" * 8)
    check(begun, images)
    assert not images.read, "without a run there is nothing to compare them with"
    trained(tmp_path, "sgd", "1")
    with pytest.raises(BadInput) as refused:
        check(begun, images)
    assert str(refused.value) == (
        "the images here are others (hash eeeeeeee) than those of old with seed 1 (hash dddddddd), so there is no "
        "verdict; put those back, or decide in another folder: outputs=DIR"
    )
    for fine in (Images("d" * 8), Images(""), None):
        check(begun, fine)


def test_arms_that_read_other_images_are_told_before_the_first_run(tmp_path):
    """By an option of a loader of the user's own."""
    asked = decision(tmp_path)
    for part, arm in enumerate(asked.cells):
        asked.cells[arm][1].config["dataset"]["part"] = part
    check(asked, Images("d" * 8, "d" * 8))
    with pytest.raises(BadInput, match=r"^the arms read other images \(hashes: old dddddddd, new eeeeeeee\)"):
        check(asked, Images("d" * 8, "e" * 8))


def test_runs_of_arms_that_were_not_made_alike_are_told(tmp_path):
    asked = decision(tmp_path)
    assert differences(asked) == ""
    first, second = trained(tmp_path, "sgd")
    other, another = trained(tmp_path, "lion")
    assert differences(asked) == ""
    for run in (first, other):
        change_record(run, environment__precision="bf16")
    change_record(first, environment__device="cuda")
    change_record(second, environment__versions__torch="2.9")
    change_record(another, environment__versions__triton="3")
    assert differences(asked) == (
        "Not made alike: device cpu and cuda (old), cpu (new); precision bf16 and fp32; torch 2.8.0 and 2.9 (old), "
        "2.8.0 (new); triton not recorded (old), 3 (new)."
    )


def test_code_of_ones_own_is_compared_among_the_arms_that_call_it(tmp_path):
    asked = decision(tmp_path)
    first, second = trained(tmp_path, "sgd")
    other, _ = trained(tmp_path, "lion")
    for run in (first, second):
        change_record(run, environment__code={"mine": "1"})
    assert differences(asked) == ""  # the other arm doesn't call it
    change_record(second, environment__code={"mine": "2"})
    assert differences(asked) == "Not made alike: code of mine 1 and 2."
    change_record(second, environment__code={"mine": "1"})
    change_record(other, environment__code={"mine": "3"})
    assert differences(asked) == "Not made alike: code of mine 1 (old), 3 (new)."
