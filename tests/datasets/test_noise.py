"""The share of wrong labels is exact, the wrong labels are the same for every run, and only what was asked changes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.datasets import data
from sweeper.datasets.noise import CIFAR100_SUPERCLASSES, corrupt_labels, load_human_labels
from sweeper.runs.identity import digest_of
from sweeper.system.errors import BadInput

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100 = tuple(sorted(name for group in CIFAR100_SUPERCLASSES for name in group))
# The published coarse label of each fine label, from CIFAR-100's own files.
# fmt: off
COARSE_LABELS = [
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7,
    6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16,
    12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
]
# fmt: on

GOLDEN = [0, 0, 2, 3, 4, 2, 1, 2, 1, 4, 1, 1, 2, 3, 1, 4, 1, 4, 3, 1]

labels_and_classes = st.integers(2, 12).flatmap(
    lambda c: st.tuples(st.lists(st.integers(0, c - 1), min_size=1, max_size=200).map(np.array), st.just(c))
)
rates = st.floats(0, 1)


def corrupt(labels, classes, kind, rate=0.0, original_index=None, original_size=0, **options):
    noise = {"name": kind, "kind": kind, "rate": rate, "seed": 0, "own_class": False, "file": None, **options}
    if isinstance(classes, int):
        classes = tuple(map(str, range(classes)))
    labels = np.asarray(labels, dtype=np.int64)
    return corrupt_labels(
        labels, noise, "mine", classes, original_index=original_index, original_size=original_size or len(labels)
    )


@given(labels_and_classes, rates, st.sampled_from(["symmetric", "pair"]), st.integers(0, 2**40))
def test_exactly_the_rate_is_flipped(case, rate, kind, seed):
    labels, count = case
    noisy, corrupted = corrupt(labels, count, kind, rate, seed=seed)
    assert corrupted.sum() == round(rate * len(labels))
    assert (corrupted == (noisy != labels)).all()
    assert noisy.min() >= 0 and noisy.max() < count
    if kind == "pair":
        assert (noisy[corrupted] == (labels[corrupted] + 1) % count).all()


@given(labels_and_classes, rates, rates, st.sampled_from(["symmetric", "pair"]), st.booleans())
def test_flips_are_nested_in_the_rate(case, one, other, kind, own_class):
    labels, count = case
    own_class &= kind == "symmetric"
    few, some = corrupt(labels, count, kind, min(one, other), own_class=own_class)
    many, _ = corrupt(labels, count, kind, max(one, other), own_class=own_class)
    assert (few[some] == many[some]).all()


@given(labels_and_classes, rates)
def test_own_class_redraws_the_rate_and_may_keep_a_label(case, rate):
    labels, count = case
    noisy, corrupted = corrupt(labels, count, "symmetric", rate, own_class=True)
    assert corrupted.sum() <= round(rate * len(labels))
    assert (corrupted == (noisy != labels)).all()


def test_own_class_leaves_one_label_in_c_right():
    _, corrupted = corrupt(np.zeros(40_000), 4, "symmetric", 0.5, own_class=True)
    assert corrupted.mean() == pytest.approx(0.5 * 3 / 4, abs=0.01)


def test_symmetric_noise_spreads_evenly_over_the_other_classes():
    noisy, _ = corrupt(np.full(30_000, 2), 4, "symmetric", 1.0)
    assert np.bincount(noisy, minlength=4) / 30_000 == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=0.01)


def test_no_noise_leaves_labels_and_has_no_mask():
    noisy, corrupted = corrupt([0, 1, 2], 3, "none")
    assert noisy.tolist() == [0, 1, 2]
    assert corrupted is None


def test_the_wrong_labels_are_the_same_on_every_machine():
    """Golden values: a change here makes all published numbers with noise incomparable."""
    labels = np.arange(20) % 5
    noisy, _ = corrupt(labels, 5, "symmetric", 0.4)
    assert noisy.tolist() == GOLDEN
    assert corrupt(labels, 5, "symmetric", 0.4, seed=1)[0].tolist() != GOLDEN


def test_input_labels_are_not_changed():
    labels = np.arange(10)
    corrupt(labels, 10, "pair", 1.0)
    assert labels.tolist() == list(range(10))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200).map(np.array), rates)
def test_asymmetric_cifar10_flips_the_rate_inside_the_mapped_classes(labels, rate):
    noisy, corrupted = corrupt(labels, CIFAR10, "asymmetric", rate)
    mapped = np.isin(labels, [2, 3, 4, 5, 9])
    assert corrupted.sum() == round(rate * mapped.sum())
    assert not corrupted[~mapped].any()
    assert (corrupted == (noisy != labels)).all()


def test_asymmetric_cifar10_partners():
    noisy, _ = corrupt(range(10), CIFAR10, "asymmetric", 1.0)
    flips = {CIFAR10[k]: CIFAR10[label] for k, label in enumerate(noisy) if label != k}
    expected = {"bird": "airplane", "cat": "dog", "deer": "horse", "dog": "cat", "truck": "automobile"}
    assert flips == expected


def test_asymmetric_cifar100_goes_to_the_next_class_of_the_published_superclass():
    noisy, _ = corrupt(range(100), CIFAR100, "asymmetric", 1.0)
    coarse = np.array(COARSE_LABELS)
    for label, wrong in enumerate(noisy):
        siblings = np.flatnonzero(coarse == coarse[label]).tolist()
        assert wrong == siblings[(siblings.index(label) + 1) % 5]


@pytest.mark.parametrize("classes", [10, 100, ("a", "b")])
def test_asymmetric_noise_of_other_data_sets_is_refused(classes):
    with pytest.raises(BadInput, match=r"dataset=mine doesn't have the classes of CIFAR-10 or CIFAR-100.*noise=pair"):
        corrupt([0, 1], classes, "asymmetric", 0.2)


def test_human_labels_follow_each_image(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("label\n2\n1\n0\n2\n")
    noisy, corrupted = corrupt([0, 2], 3, "human", file=str(file), original_index=np.array([2, 1]), original_size=4)
    assert noisy.tolist() == [0, 1]
    assert corrupted.tolist() == [False, True]


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=50),
    st.sampled_from(["", "label\n", "random_label1\r\n", '# "label"\n']),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n\n"]),
)
def test_label_files_of_any_writer_are_read(tmp_path_factory, labels, header, newline, end):
    file = tmp_path_factory.mktemp("human") / "labels.csv"
    file.write_bytes((header + newline.join(map(str, labels)) + end).encode())
    assert load_human_labels(file, len(labels), 100).tolist() == labels


def test_labels_that_are_written_anew_after_a_run_was_named_are_refused(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("0\n1\n")
    digest = digest_of(file.read_bytes())
    assert load_human_labels(file, 2, 2, digest).tolist() == [0, 1]
    file.write_text("1\n0\n")
    with pytest.raises(BadInput, match=r"labels\.csv: has changed since this command began; start it again"):
        load_human_labels(file, 2, 2, digest)
    with pytest.raises(BadInput, match="has changed since this command began"):
        corrupt([0, 1], 2, "human", file=str(file), file_digest=digest, original_index=np.arange(2))


def test_labels_that_are_no_part_of_a_runs_identity_train_no_run(monkeypatch):
    """As of a file that couldn't be read when the run was composed, and can be now."""
    monkeypatch.setattr(data, "_load_data", json.loads)
    noise = {"kind": "human", "file": "labels.csv"}
    for known in ({"file": None}, noise | {"file_digest": "0123"}):
        assert data.load_run_data({"dataset": {}, "noise": known}) == [{}, known]
    with pytest.raises(BadInput, match=r"^noise\.file=labels\.csv: couldn't be read when this command began; start"):
        data.load_run_data({"dataset": {}, "noise": noise})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0\n1\n", "2 labels, but the whole training set has 3"),
        (b"0\n1\n2\n0\n", "4 labels, but the whole training set has 3"),
        (b"", "0 labels"),
        (b"label\n0\n1\n7\n", "line 4: '7' is no label; expected an integer from 0 to 2"),
        (b"0\n-1\n2\n", "line 2: '-1' is no label"),
        (b"0\n1\n" + b"9" * 5000, "line 3: '999"),
        (b"0\n\n2\n", "line 2: '' is no label"),
        (b"0.0\n1.0\n2.0\n", "line 1: '0.0' is no label"),
        (b"\x80\x02\xff\x00", "not a text file"),
    ],
)
def test_label_files_that_do_not_fit_are_refused(tmp_path, content, message):
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        corrupt([0, 1, 2], 3, "human", file=str(file), original_index=np.arange(3))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("human", {}, "noise.file is missing"),
        ("human", {"file": "no/such.csv"}, "noise.file=no/such.csv: No such file"),
        ("human", {"file": "a.csv", "original_index": None}, "not read in its published order"),
        ("human", {"file": "a.csv", "original_index": None}, "choose another noise, or a data set that torchvision"),
        ("human", {"file": "a.csv", "rate": 0.2}, "noise.rate=0.2: noise=human has the rate of its file"),
        ("pair", {"own_class": True}, "noise.own_class=true: noise=pair"),
        ("symmetric", {"file": "a.csv"}, "noise.file=a.csv: noise=symmetric reads no file"),
    ],
)
def test_options_that_do_not_fit_the_kind_are_refused(kind, options, message):
    with pytest.raises(BadInput, match=message):
        corrupt([0, 1, 2], 3, kind, **{"original_index": np.arange(3), **options})


def test_a_kind_of_noise_that_is_not_there_is_refused_with_the_nearest(call):
    code, _, error = call("dataset=digits", "noise=symmetric", "noise.kind=symetric")
    assert (
        code == 2
        and error.startswith("error: noise.kind=symetric: did you mean 'symmetric'?")
        and error.count("\n") == 1
    )
