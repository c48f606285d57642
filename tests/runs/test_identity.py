"""A run is named by what determines its result, and by nothing else."""

import copy
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_config

from sweeper.runs.identity import (
    contradiction,
    flat,
    identity_config,
    is_identity,
    run_hash,
    run_name,
    with_relative_paths,
)

CONFIG = {
    "dataset": {"name": "digits", "loader": "sweeper.datasets.digits", "root": None, "workers": None},
    "model": {"name": "cnn", "_target_": "sweeper.models.cnn"},
    "optimizer": {"name": "lion", "_target_": "sweeper.optimizers.lion.Lion", "lr": 1e-4, "betas": [0.9, 0.99]},
    "schedule": {"name": "cosine"},
    "noise": {"name": "none", "kind": "none", "rate": 0.0},
    "device": {"name": "auto", "kind": "auto", "threads": None},
    "tracking": {"name": "none"},
    "seed": 1,
    "epochs": 20,
    "batch_size": 64,
    "tag": None,
    "outputs": "outputs",
    "save_model": True,
}


def changed(**values: object) -> dict:
    config = copy.deepcopy(CONFIG)
    for name, value in values.items():
        *path, last = name.split("__")
        node = config
        for key in path:
            node = node[key]
        node[last] = value
    return config


def test_the_name_says_data_model_optimizer_noise_and_seed():
    assert run_name(CONFIG) == f"digits-cnn/lion-seed1-{run_hash(CONFIG)}"
    noisy = changed(noise__name="symmetric", noise__rate=0.2)
    assert run_name(noisy).startswith("digits-cnn/lion-symmetric-seed1-")


def test_the_hash_stays_what_it_is():
    """Old results would be orphaned if it moved: then IDENTITY_VERSION is to be counted up, on purpose."""
    assert run_hash(CONFIG) == "4239e06d"


def test_what_determines_no_result_changes_no_name():
    for same in (
        changed(device__kind="cuda", device__threads=4),
        changed(device__precision="auto"),
        changed(device__precision=None),
        changed(dataset__root="/somewhere", dataset__workers=3),
        changed(outputs="elsewhere", save_model=False),
        changed(optimizer__new_option=None),
        changed(epochs=20.0),
        dict(reversed(CONFIG.items())),
    ):
        assert run_name(same) == run_name(CONFIG)


def test_what_determines_the_result_changes_the_name():
    names = {
        run_name(config)
        for config in (
            CONFIG,
            changed(seed=2),
            changed(epochs=21),
            changed(tag="again"),
            changed(optimizer__lr=2e-4),
            changed(optimizer__betas=[0.9, 0.999]),
            changed(noise__rate=0.2),
            changed(device__precision="fp32"),
            changed(device__precision="bf16"),
        )
    }
    assert len(names) == 9


def test_by_the_first_rule_a_precision_changed_no_name():
    named = changed(device__precision="fp32", device__kind="cuda")
    assert run_hash(named, 1) == run_hash(CONFIG, 1) == run_hash(CONFIG) != run_hash(named)
    assert run_name(named, 1) == run_name(CONFIG)


@pytest.mark.parametrize("record", [{}, {"identity_version": 1}])
def test_a_record_is_checked_by_the_rule_of_its_own_version(record):
    named, directory = changed(device__precision="fp32"), Path(run_name(CONFIG))
    assert contradiction(directory, {**record, "config": named}) is None
    other = contradiction(directory, {"identity_version": 2, "config": named})
    assert other == f"of another run, {run_name(named)}"


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=5))))
def test_the_hash_is_independent_of_the_order_of_keys(options):
    forward, backward = changed(optimizer=options), changed(optimizer=dict(reversed(options.items())))
    assert run_hash(forward) == run_hash(backward)
    assert identity_config(identity_config(forward)) == identity_config(forward)


def test_is_identity_agrees_with_what_is_hashed():
    """For each value of a whole configuration, and a label file's."""
    config = make_config(noise__file="labels.csv", noise__file_digest="0123", save_model=True, checkpoint_every=1)
    config["dataset"] |= {"root": "data", "workers": 1}
    for name, value in flat(config):
        node, _, key = name.rpartition(".")
        other = copy.deepcopy(config)
        (other[node] if node else other)[key] = f"not {value}"
        assert (run_hash(other) != run_hash(config)) == is_identity(name), name


NAMES = [
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "x" * 300,
    "😀",
    "a\nb",
    "a\0b",
    " ",
    "",
    ".hidden",
    "-rf",
]
NAMES += ["CON", "nul", "com1", "con.v2", "LPT9.x", "a:b", "a*?", "trailing.", "trailing ", "~", "$HOME", "\u202egnp"]
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(10))}


@pytest.mark.parametrize("group", ["dataset", "model", "optimizer", "noise"])
@pytest.mark.parametrize("name", NAMES)
def test_a_choice_of_any_name_has_a_directory_two_below_outputs(group, name):
    """On any system: a POSIX shell, a Mac, Windows with its reserved names."""
    config = make_config()
    config[group]["name"] = name
    parts = run_name(config).split("/")
    assert len(parts) == 2
    for part in parts:
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", part) and not part.endswith(".") and len(part) < 150
        assert part.partition(".")[0].lower() not in RESERVED


@pytest.mark.parametrize("tag", ["../../x", "/etc", "a/b", "con", "x" * 100])
def test_a_tag_is_in_no_path(tag):
    plain, tagged = (run_name(make_config(tag=t)) for t in ("plain", tag))
    assert plain[:-8] == tagged[:-8] and plain != tagged


def test_paths_are_stored_as_seen_from_the_run(tmp_path):
    config = make_config(dataset__root=str(tmp_path / "data"), noise__file="labels.csv", outputs=str(tmp_path / "out"))
    stored = with_relative_paths(config, tmp_path / "out" / "digits-cnn" / "sgd-seed1-00000000")
    assert (stored["dataset"]["root"], stored["outputs"]) == ("../../../data", "../..")
    assert (Path(tmp_path / "out" / "a" / "b") / stored["noise"]["file"]).resolve() == Path("labels.csv").resolve()
    assert config["outputs"] == str(tmp_path / "out"), "the caller's configuration is left alone"
