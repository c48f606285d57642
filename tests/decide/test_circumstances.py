"""Other images are refused before anything is trained; other devices and versions are named."""

import pytest
from made_runs import change_record, make_field

from sweeper.decide import circumstances
from sweeper.decide.circumstances import check_data, describe_differences
from sweeper.decide.field import read_field
from sweeper.decide.newcomer import read_newcomers
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "device=cpu", "epochs=1", "seed=1,2")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("against")
    make_field(folder / "field", *SMALL, "optimizer=sgd,adam")
    field = read_field(str(folder / "field"), [])
    return read_newcomers(["optimizer=lion", "device=cpu", f"outputs={folder / 'own'}"], field, 2)


def test_images_that_are_not_the_fields_are_found_before_the_first_run(asked, monkeypatch):
    monkeypatch.setattr(circumstances, "_read_here", lambda config: {"e" * 8})
    with pytest.raises(
        BadInput, match=r"the images here are others \(hash e{8}, the field's d{8}\), so there is no verdict"
    ):
        check_data(asked)
    monkeypatch.setattr(circumstances, "_read_here", lambda config: set())
    check_data(asked)  # on a cluster they may be elsewhere


def test_a_missing_package_is_told_before_the_images(asked, monkeypatch):
    """Which are far away: then only the hashes couldn't be compared, and training would tell."""
    (by_seed,) = asked.cells.values()
    for cell in by_seed.values():
        monkeypatch.setitem(cell.config, "optimizer", cell.config["optimizer"] | {"_target_": "lions.Lion"})
        monkeypatch.setitem(cell.config, "dataset", cell.config["dataset"] | {"root": "nowhere"})
    with pytest.raises(BadInput, match=r"^optimizer\._target_=lions\.Lion: no package 'lions'; install it"):
        check_data(asked)


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
    change_record(first, environment__device="cpu", environment__precision="fp32", environment__versions__torch="2.8.0")
    change_record(first, environment__code={"lion": "1", "net": "1"})
    assert describe_differences(asked) == ""  # the field's don't call it
    field = next(iter(next(iter(asked.field.runs.values())).values()))
    field.conditions["code of net"] = "2"
    assert describe_differences(asked) == "Not made alike: code of net 2 in the field, 1 here."
    change_record(second, environment__data_digest="e" * 64)
    with pytest.raises(BadInput, match=r"\(hash e{8}, the field's d{8}\)"):
        check_data(asked)
