"""Other images are refused before anything is trained; other devices and versions are named."""

import pytest
from made_runs import change_record, make_field

from sweeper.datasets.here import ImagesHere
from sweeper.decide.arms import read_arms
from sweeper.decide.circumstances import check_data, describe_differences
from sweeper.decide.field import read_field
from sweeper.decide.newcomer import read_newcomers
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "device=cpu", "epochs=1", "seed=1,2")
ARMS = ("--arm", "old: optimizer=sgd", "--arm", "new: optimizer=lion", *SMALL[:-1])


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("against")
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


def decision(folder, *more):
    return read_arms([*ARMS, *more, f"outputs={folder}"], 2)


def trained(folder, optimizer, seeds="1,2"):
    return make_field(folder, *SMALL[:-1], f"seed={seeds}", f"optimizer={optimizer}")


def test_images_that_are_not_the_fields_are_found_before_the_first_run(asked):
    told = r"the images here are others \(hash e{8}, the field's d{8}\), so there is no verdict"
    with pytest.raises(BadInput, match=told):
        check_data(asked, Images("e" * 8))
    check_data(asked, Images(""))  # on a cluster they may be elsewhere
    check_data(asked)


def test_a_missing_package_is_told_before_the_images(asked, monkeypatch):
    """Which are far away: then only the hashes couldn't be compared, and training would tell."""
    (by_seed,) = asked.cells.values()
    for cell in by_seed.values():
        monkeypatch.setitem(cell.config, "optimizer", cell.config["optimizer"] | {"_target_": "lions.Lion"})
        monkeypatch.setitem(cell.config, "dataset", cell.config["dataset"] | {"root": "nowhere"})
    with pytest.raises(BadInput, match=r"^optimizer\._target_=lions\.Lion: no package 'lions'; install it"):
        check_data(asked, ImagesHere())


def test_what_runs_recorded_is_compared(asked):
    assert describe_differences(asked) == ""
    first, second = make_field(asked.outputs, *SMALL, "optimizer=lion")
    check_data(asked)
    assert describe_differences(asked) == ""
    change_record(first, environment__device="cuda", environment__precision="bf16", environment__versions__torch="2.9")
    assert describe_differences(asked) == (
        "Not made alike: device cpu in the field, cpu and cuda here; precision fp32 in the field, bf16 and fp32 here; "
        "torch 2.8.0 in the field, 2.8.0 and 2.9 here."
    )
    with pytest.raises(BadInput, match=r"\(hash e{8}, the field's d{8}\)"):
        check_data(asked, Images("e" * 8))  # before it goes on
    change_record(first, environment__device="cpu", environment__precision="fp32", environment__versions__torch="2.8.0")
    change_record(first, environment__code={"lion": "1", "net": "1"})
    assert describe_differences(asked) == ""  # the field's don't call it
    field = next(iter(next(iter(asked.field.runs.values())).values()))
    field.conditions["code of net"] = "2"
    assert describe_differences(asked) == "Not made alike: code of net 2 in the field, 1 here."
    change_record(second, environment__data_digest="e" * 64)
    with pytest.raises(BadInput, match=r"\(hash e{8}, the field's d{8}\)"):
        check_data(asked)


def test_arms_on_other_images_have_no_verdict(tmp_path):
    """One arm before and one after they changed, or the same arms' seeds."""
    trained(tmp_path, "sgd")
    for run in trained(tmp_path, "lion"):
        change_record(run, environment__data_digest="e" * 64)
    with pytest.raises(BadInput) as refused:
        check_data(decision(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path}: its runs are of different images (hash dddddddd: old with seeds 1, 2; hash eeeeeeee: new with "
        "seeds 1, 2), so there is no verdict; decide on one set of images in another folder: outputs=DIR"
    )


def test_a_decision_does_not_go_on_with_other_images_than_it_began_with(tmp_path):
    begun = decision(tmp_path)
    images = Images("e" * 8)
    check_data(begun, images)
    assert not images.read, "without a run there is nothing to compare them with"
    trained(tmp_path, "sgd", "1")
    with pytest.raises(BadInput) as refused:
        check_data(begun, images)
    assert str(refused.value) == (
        "the images here are others (hash eeeeeeee) than those of old with seed 1 (hash dddddddd), so there is no "
        "verdict; put those back, or decide in another folder: outputs=DIR"
    )
    for fine in (Images("d" * 8), Images(""), None):
        check_data(begun, fine)


def test_arms_that_read_other_images_are_told_before_the_first_run(tmp_path):
    """By an option of a loader of the user's own."""
    asked = decision(tmp_path)
    for part, arm in enumerate(asked.cells):
        asked.cells[arm][1].config["dataset"]["part"] = part
    check_data(asked, Images("d" * 8, "d" * 8))
    with pytest.raises(BadInput, match=r"^the arms read other images \(hashes: old dddddddd, new eeeeeeee\)"):
        check_data(asked, Images("d" * 8, "e" * 8))


def test_runs_of_arms_that_were_not_made_alike_are_told(tmp_path):
    asked = decision(tmp_path)
    assert describe_differences(asked) == ""
    first, second = trained(tmp_path, "sgd")
    other, another = trained(tmp_path, "lion")
    assert describe_differences(asked) == ""
    for run in (first, other):
        change_record(run, environment__precision="bf16")
    change_record(first, environment__device="cuda")
    change_record(second, environment__versions__torch="2.9")
    change_record(another, environment__versions__triton="3")
    assert describe_differences(asked) == (
        "Not made alike: device cpu and cuda (old), cpu (new); precision bf16 and fp32; torch 2.8.0 and 2.9 (old), "
        "2.8.0 (new); triton not recorded (old), 3 (new)."
    )


def test_code_of_ones_own_is_compared_among_the_arms_that_call_it(tmp_path):
    asked = decision(tmp_path)
    first, second = trained(tmp_path, "sgd")
    other, _ = trained(tmp_path, "lion")
    for run in (first, second):
        change_record(run, environment__code={"mine": "1"})
    assert describe_differences(asked) == ""  # the other arm doesn't call it
    change_record(second, environment__code={"mine": "2"})
    assert describe_differences(asked) == "Not made alike: code of mine 1 and 2."
    change_record(second, environment__code={"mine": "1"})
    change_record(other, environment__code={"mine": "3"})
    assert describe_differences(asked) == "Not made alike: code of mine 1 (old), 3 (new)."
