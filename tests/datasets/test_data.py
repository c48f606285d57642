"""One canonical order whatever the loader gives, exact statistics, and splits that no seed of a run touches."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweeper.datasets.data import canonical_order, find_loader, load_data, pixel_statistics
from sweeper.datasets.raw import RawData
from sweeper.system.errors import BadInput

NONE = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}
PAIR = {**NONE, "name": "pair", "kind": "pair", "rate": 0.25}


def make_raw(n=60, n_test=20, n_classes=4, shape=(5, 4, 3), **other):
    random = np.random.default_rng(0)
    content = {
        "train_images": random.integers(0, 256, (n, *shape), dtype=np.uint8),
        "train_labels": np.arange(n, dtype=np.int64) % n_classes,
        "test_images": random.integers(0, 256, (n_test, *shape), dtype=np.uint8),
        "test_labels": np.arange(n_test, dtype=np.int64) % n_classes,
        "classes": tuple("abcdefgh"[:n_classes]),
        "form": "made for a test",
        "ordered": True,
    }
    return RawData(**{**content, **other})


def shuffled(raw):
    random = np.random.default_rng(1)
    train, test = random.permutation(len(raw.train_labels)), random.permutation(len(raw.test_labels))
    return make_raw(
        train_images=raw.train_images[train],
        train_labels=raw.train_labels[train],
        test_images=raw.test_images[test],
        test_labels=raw.test_labels[test],
    )


@pytest.fixture
def load(monkeypatch):
    """`load(raw, noise, **options)`: `load_data` by a user's own loader that returns `raw`."""
    module = ModuleType("my_package")
    monkeypatch.setitem(sys.modules, "my_package", module)

    def load_raw(raw, noise=NONE, **options):
        module.my_loader = lambda dataset: raw
        dataset = {"name": "mine", "loader": "my_package.my_loader", "validation_fraction": 0.0}
        return load_data({**dataset, "train_limit": None, "test_limit": None, **options}, noise)

    return load_raw


def assert_same(one, other):
    for field in ("true_labels", "train_index", "mean", "std"):
        assert torch.equal(getattr(one, field), getattr(other, field)), field
    for split in ("train", "test"):
        assert torch.equal(getattr(one, split).images, getattr(other, split).images)
        assert torch.equal(getattr(one, split).labels, getattr(other, split).labels)
    assert one.digest == other.digest


def test_shapes_and_types(load):
    data = load(make_raw(), PAIR, validation_fraction=0.2)
    assert data.train.images.shape == (48, 3, 5, 4)
    assert data.val.images.shape == (12, 3, 5, 4)
    assert data.test.images.shape == (20, 3, 5, 4)
    for split in (data.train, data.val, data.test):
        assert split.images.dtype == torch.uint8 and split.images.is_contiguous()
        assert split.labels.dtype == torch.int64 and len(split.labels) == len(split.images)
    assert data.corrupted.dtype == torch.bool
    assert data.train_index.dtype == data.true_labels.dtype == torch.int64
    assert data.mean.dtype == data.std.dtype == torch.float32
    assert (data.classes, data.form) == (("a", "b", "c", "d"), "made for a test")


def test_the_order_of_the_files_makes_no_difference(load):
    raw = make_raw()
    options = {"train_limit": 40, "test_limit": 10, "validation_fraction": 0.25}
    assert_same(load(raw, PAIR, **options), load(shuffled(raw), PAIR, **options))


def test_the_digest_tells_contents_apart(load):
    raw = make_raw()
    image = raw.test_images.copy()
    image[3, 0, 0, 0] ^= 1
    label = raw.train_labels.copy()
    label[[0, 1]] = label[[1, 0]]
    others = [make_raw(test_images=image), make_raw(train_labels=label), make_raw(classes=tuple("abcde"))]
    assert len({load(each).digest for each in [raw, *others]}) == 4
    assert load(raw, PAIR, train_limit=10).digest == load(raw).digest


@given(st.integers(1, 6).flatmap(lambda n: arrays(np.uint8, (n, 1, 3, 1), elements=st.sampled_from([0, 1, 255]))))
def test_canonical_order_is_by_class_then_by_bytes(images):
    labels = np.arange(len(images)) % 2
    order = canonical_order(images, labels)
    assert order.tolist() == sorted(range(len(images)), key=lambda k: (labels[k], images[k].tobytes(), k))


def test_train_index_tells_the_place_in_the_full_training_set(load):
    raw = make_raw()
    full = load(raw)
    part = load(raw, train_limit=30, validation_fraction=0.2)
    assert torch.equal(full.train_index, torch.arange(60))
    assert torch.equal(full.train.images[part.train_index], part.train.images)
    assert torch.equal(full.true_labels[part.train_index], part.true_labels)


def test_limits_are_nested_and_random(load):
    raw = make_raw()
    few, more = (set(load(raw, train_limit=k).train_index.tolist()) for k in (20, 40))
    assert (len(few), len(more)) == (20, 40)
    assert few < more
    assert few != set(range(20))
    assert len(load(raw, test_limit=8).test.labels) == 8
    assert len(load(raw, train_limit=1000).train.labels) == 60


def test_validation_images_are_no_training_images(load):
    raw = make_raw()
    data = load(raw, validation_fraction=0.3)
    seen = [image.numpy().tobytes() for split in (data.train, data.val) for image in split.images]
    assert len(seen) == len(set(seen)) == 60
    assert load(raw).val is None


def test_test_images_are_held_out_where_the_loader_gives_none(load):
    """As many of each class, and never the same as those for validation; limits count what remains."""
    raw = make_raw(n_test=0)
    data = load(raw, test_fraction=0.2, validation_fraction=0.25, train_limit=40)
    assert torch.bincount(data.test.labels).tolist() == [3, 3, 3, 3]
    assert (len(data.train.labels), len(data.val.labels)) == (30, 10)
    splits = [{image.numpy().tobytes() for image in split.images} for split in (data.train, data.val, data.test)]
    assert len(set.union(*splits)) == 30 + 10 + 12
    assert_same(
        data,
        load(
            replace(raw, train_images=raw.train_images[::-1], train_labels=raw.train_labels[::-1]),
            test_fraction=0.2,
            validation_fraction=0.25,
            train_limit=40,
        ),
    )
    assert load(raw, test_fraction=0.4).digest != load(raw, test_fraction=0.2).digest


def test_only_training_labels_are_corrupted(load):
    raw = make_raw()
    options = {"validation_fraction": 0.2}
    clean, noisy = load(raw, **options), load(raw, PAIR, **options)
    assert clean.corrupted is None
    assert torch.equal(clean.train.labels, clean.true_labels)
    assert torch.equal(noisy.true_labels, clean.true_labels)
    assert torch.equal(noisy.corrupted, noisy.train.labels != noisy.true_labels)
    assert noisy.corrupted.sum() == 12
    assert torch.equal(noisy.val.labels, clean.val.labels)
    assert torch.equal(noisy.test.labels, clean.test.labels)
    assert torch.equal(noisy.train.images, clean.train.images)


def test_human_labels_reach_their_image_after_limits_and_reordering(load, tmp_path):
    """Each published position gets its own label, so a label that lands on another image is seen."""
    raw = make_raw(n=60, n_classes=4)
    said = (raw.train_labels + np.arange(60) // 4) % 4
    file = tmp_path / "labels.txt"
    np.savetxt(file, said, fmt="%d")
    noise = {**NONE, "kind": "human", "file": str(file)}
    data = load(raw, noise, train_limit=40, validation_fraction=0.25)
    by_image = {image.transpose(2, 0, 1).tobytes(): label for image, label in zip(raw.train_images, said, strict=True)}
    assert data.train.labels.tolist() == [by_image[image.numpy().tobytes()] for image in data.train.images]
    assert torch.equal(data.corrupted, data.train.labels != data.true_labels)
    with pytest.raises(BadInput, match="published order"):
        load(make_raw(ordered=False), noise)


def test_statistics_are_those_of_all_training_pixels(load):
    raw = make_raw(n=300)
    pixels = raw.train_images.astype(np.float64) / 255
    mean, std = pixel_statistics(raw.train_images)
    assert mean.tolist() == pytest.approx(pixels.mean(axis=(0, 1, 2)).tolist(), abs=1e-7)
    assert std.tolist() == pytest.approx(pixels.std(axis=(0, 1, 2)).tolist(), abs=1e-7)
    assert torch.equal(load(raw, train_limit=5).mean, mean)


def test_a_channel_of_one_value_is_not_divided_by_zero():
    mean, std = pixel_statistics(np.full((3, 2, 2, 1), 51, dtype=np.uint8))
    assert (mean.item(), std.item()) == (pytest.approx(0.2), 1.0)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"n_classes": 1}, {}, "dataset=mine: one class only"),
        ({"n": 0}, {}, "no training images"),
        ({"n_test": 0}, {}, "no test images"),
        ({"n_test": 3}, {}, "class 'd' is only in training or only in test images"),
        ({"train_labels": np.full(60, 4)}, {}, "a training label lies outside 0 to 3"),
        ({"train_labels": np.zeros(59, dtype=np.int64)}, {}, r"expected uint8 \(n, h, w, c\) and \(n,\)"),
        (
            {"train_labels": np.zeros(60)},
            {},
            "dataset=mine: my_package.my_loader: train_labels: float64; must be int64",
        ),
        ({"test_images": np.zeros((20, 5, 4, 3))}, {}, "test images are float64"),
        (
            {"test_images": np.zeros((20, 0, 4, 3), dtype=np.uint8)},
            {},
            r"test images are uint8 of shape \(20, 0, 4, 3\)",
        ),
        (
            {"test_images": np.zeros((20, 5, 4, 1), dtype=np.uint8)},
            {},
            r"training images are \(h, w, c\) = \(5, 4, 3\)",
        ),
        ({}, {"test_fraction": 0.2}, "dataset.test_fraction=0.2: dataset=mine has its own test images; leave it out"),
        ({"n_test": 0, "n": 0}, {"test_fraction": 0.2}, "no training images"),
        ({"n_test": 0, "n": 4}, {"test_fraction": 0.2}, "leaves no test images of the 1 image of class 'a'"),
        ({}, {"train_limit": 0}, "dataset.train_limit=0: leaves no images"),
        ({}, {"test_limit": 0}, "dataset.test_limit=0: leaves no images"),
        ({}, {"validation_fraction": 0.999}, "validation_fraction=0.999: leaves no training images of 60"),
        ({}, {"validation_fraction": 0.001}, "validation_fraction=0.001: leaves no validation images of 60"),
        ({}, {"train_limit": 1, "validation_fraction": 0.4}, "leaves no validation images of 1"),
    ],
)
def test_data_that_can_not_be_trained_on_is_refused(load, changes, options, message):
    with pytest.raises(BadInput, match=message) as caught:
        load(make_raw(**changes), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_package.loader", "dataset.loader=no_such_package.loader: No module named 'no_such_package'"),
        ("sweeper.datasets.cifar11", "has no function 'cifar11'; did you mean 'cifar10"),
        ("cifar10", "dataset.loader=cifar10: names no module; expected a function's path"),
        (".loaders.cifar10", "dataset.loader=.loaders.cifar10: names no module; expected a function's path"),
        ("sweeper.nowhere.f", "No module named 'sweeper.nowhere'; expected a function's path"),
        ("sweeper.nowhere.module.f", "No module named 'sweeper.nowhere'; expected a function's path"),
        ("json.nowhere.f", "No module named 'json.nowhere'; expected a function's path"),
        ("sweeper.datasets.DOWNLOADS", "has no function 'DOWNLOADS'"),
    ],
)
def test_a_loader_that_is_none_is_refused(path, message):
    with pytest.raises(BadInput, match=message):
        find_loader(path)


def test_a_loaders_module_that_can_not_be_imported_is_not_taken_for_none(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, content in (("needs_more", "import no_such_package"), ("fails", "1 / 0")):
        (tmp_path / f"{name}.py").write_text(content)
        with pytest.raises(BadInput, match=f"^dataset.loader={name}.load: importing {name} failed: ") as refused:
            find_loader(f"{name}.load")
        assert "expected" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("return None", "dataset=mine: own_loader.load returned NoneType; it must return sweeper.datasets.RawData"),
        ("raise ValueError('first\\nsecond')", "dataset=mine: own_loader.load: ValueError: first second"),
        ("return dataset['size']", "dataset=mine: own_loader.load: KeyError: 'size'"),
        ("open('nowhere')", "dataset=mine: own_loader.load: FileNotFoundError: [Errno 2] No such file"),
        ("import sys; sys.exit(3)", "dataset=mine: own_loader.load: SystemExit: sys.exit(3)"),
        (
            "from sweeper.datasets.raw import RawData; return RawData([0], [0], [0], [0], ('a', 'b'), '', False)",
            "dataset=mine: own_loader.load: train_images: list; must be a NumPy array",
        ),
        (
            "pass\nimport no_such_package",
            "dataset.loader=own_loader.load: importing own_loader failed: No module named 'no_such_package'",
        ),
        ("pass\n1 / 0", "dataset.loader=own_loader.load: importing own_loader failed: division by zero"),
    ],
)
def test_a_users_loader_that_fails_is_told_in_a_line(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_loader", raising=False)
    (tmp_path / "own_loader.py").write_text(f"def load(dataset): {source}\n")
    with pytest.raises(BadInput) as caught:
        load_data({"name": "mine", "loader": "own_loader.load"}, NONE)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_integers_of_any_width_are_labels(load):
    raw = make_raw()
    narrow = replace(raw, train_labels=raw.train_labels.astype(np.uint8), test_labels=raw.test_labels.astype(np.int32))
    assert_same(load(narrow), load(raw))
