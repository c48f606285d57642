"""Parquet files of images, as the Hub stores them, are the set that a tree of the same images is."""

import io
import json
import os
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from sweeper.datasets.parquet import choose_columns, choose_splits, find_parquet
from sweeper.system.errors import BadInput
from tests.datasets.test_image_folder import load, read, write_image

NAMES = ["dog", "cat"]  # in the set's own order; tables and digests have the alphabetical one


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def png(pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_parquet(path, images, labels, names=NAMES, image="img", label="label", described=True):
    """A file with the schema of `datasets`; without `described` one that knows nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    column = [{"bytes": png(pixels), "path": f"{k}.png"} for k, pixels in enumerate(images)]
    table = pyarrow.table({image: column, label: labels})
    if described:
        features = {image: {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def downloaded(tmp_path, pixels):
    """As `hf download` leaves a set: two files of training images, one of test images."""
    root = tmp_path / "set"
    write_parquet(root / "data" / "train-00000-of-00002.parquet", pixels[:4], [0, 1, 0, 1])
    write_parquet(root / "data" / "train-00001-of-00002.parquet", pixels[4:8], [0, 1, 0, 1])
    write_parquet(root / "data" / "test-00000-of-00001.parquet", pixels[8:], [0, 1, 0, 1])
    (root / "README.md").write_text("# A set\n")
    return root


def test_a_downloaded_set_is_the_set_of_the_tree_with_the_same_images(downloaded, pixels, tmp_path):
    for k, image in enumerate(pixels):
        write_image(tmp_path / "tree" / ("train" if k < 8 else "test") / NAMES[k % 2] / f"{k}.png", image)
    data, tree = load(downloaded), load(tmp_path / "tree")
    assert data.digest == tree.digest and data.classes == tree.classes == ("cat", "dog")
    assert data.form == f"images from Parquet files in {downloaded}"
    assert data.files == "8 images in train, 4 in test"


def test_a_second_time_nothing_is_decoded_and_a_changed_file_is_seen(downloaded, pixels, monkeypatch):
    import sweeper.datasets.image_folder as module

    before = read(downloaded)
    with monkeypatch.context() as patched:
        patched.setattr(module, "decode", None)
        assert np.array_equal(read(downloaded).train_images, before.train_images)
    write_parquet(downloaded / "data" / "test-00000-of-00001.parquet", pixels[:4], [0, 1, 0, 1])
    assert np.array_equal(read(downloaded).test_images, pixels[:4])


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["train.parquet", "test.parquet"], {"train", "test"}),
        (["plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"], {"train", "test"}),
        (["default/train/0000.parquet", "default/validation/0000.parquet"], {"train", "validation"}),
        (["Training/a.parquet", "Training/b.parquet", "dev/a.parquet"], {"training", "dev"}),
        (["data/train-0.parquet", "data/valid-0.parquet", "data/test-0.parquet"], {"train", "valid", "test"}),
        (["0000.parquet", "0001.parquet"], {""}),
        (["constraint.parquet"], {""}),
    ],
)
def test_a_split_is_known_by_the_name_of_a_file_or_of_its_folder(tmp_path, paths, splits):
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert {*find_parquet(tmp_path)} == splits


def test_a_table_beside_a_tree_of_images_is_left_alone(tmp_path, pixels):
    for split in ("train", "test"):
        for k, name in enumerate(NAMES):
            write_image(tmp_path / split / name / "0.png", pixels[k])
    (tmp_path / "index.parquet").touch()
    assert read(tmp_path).classes == ("cat", "dog")


def test_several_sets_are_refused_by_their_folders(tmp_path):
    for name in ("large", "small"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.parquet").touch()
    with pytest.raises(BadInput, match=r"has Parquet files of several sets, large/, small/; name one of the folders"):
        find_parquet(tmp_path)


def test_a_folder_among_them_that_can_not_be_read_is_not_left_out(tmp_path, monkeypatch):
    for split in ("train", "dev"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "0.parquet").touch()
    (tmp_path / "itself").symlink_to("itself")  # is no folder
    assert {*find_parquet(tmp_path)} == {"train", "dev"}
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/dev"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(BadInput, match=r"^dataset\.root=.*: .*/dev: Permission denied$"):
        find_parquet(tmp_path)
    (tmp_path / "train" / "0.parquet").unlink()
    assert find_parquet(tmp_path) == {}  # the tree's reader tells


def test_files_that_describe_no_features_are_read_by_their_columns(tmp_path, pixels):
    for split in ("train", "test"):
        write_parquet(tmp_path / f"{split}.parquet", pixels[:4], [10, 2, 10, 2], described=False, image="picture")
    raw = read(tmp_path)
    assert raw.classes == ("2", "10") and raw.train_labels.tolist() == [1, 0, 1, 0]
    for split in ("train", "test"):
        write_parquet(tmp_path / f"{split}.parquet", pixels[:4], ["x", "y", "x", "y"], described=False)
    assert read(tmp_path).classes == ("x", "y")


def test_training_images_alone_need_a_fraction(tmp_path, pixels):
    write_parquet(tmp_path / "train.parquet", pixels, [0, 1] * 6)
    with pytest.raises(BadInput, match=r"there is no test split; hold some images out by dataset.test_fraction=0.2"):
        read(tmp_path)
    assert len(read(tmp_path, test_fraction=0.5).train_images) == 12  # the caller holds them out


def test_a_split_is_chosen_as_of_a_tree():
    assert choose_splits("x", ["train", "validation", "test"], None) == ("train", "test")
    assert choose_splits("x", ["", "dev"], None) == ("", "dev")
    with pytest.raises(BadInput, match=r"x: there is no training split; it has test"):
        choose_splits("x", ["test"], None)
    with pytest.raises(BadInput, match=r"dataset.test_fraction=0.2: x has test images, val; leave it out"):
        choose_splits("x", ["train", "val"], 0.2)


def test_a_column_is_taken_if_it_is_clear_which():
    image, label, other = ("Image", None), ("ClassLabel", ["a", "b"]), ("Value", None)
    assert choose_columns("x", {"photo": image, "kind": label, "n": other}) == ("photo", "kind", ["a", "b"])
    assert choose_columns("x", {"img": image, "fine_label": label, "coarse_label": label}).label == "fine_label"
    for features, words in [
        ({"label": label}, "no column holds images; it has label; keep one, as 'image'"),
        ({"left": image, "right": image, "label": label}, "several columns hold images, left, right; keep one"),
        ({"img": image, "n": other}, "no column holds labels; it has img, n; keep one, as 'label'"),
    ]:
        with pytest.raises(BadInput, match=f"x: {words}"):
            choose_columns("x", features)


def test_what_is_no_image_or_has_no_class_is_named_by_its_row(tmp_path, pixels):
    write_parquet(tmp_path / "train.parquet", pixels[:2], [0, 1])
    write_parquet(tmp_path / "test.parquet", pixels[:2], [0, -1])
    with pytest.raises(BadInput, match=r"test.parquet, row 1: label is -1, no class; remove this split, or its rows"):
        read(tmp_path)
    table = pyarrow.table({"img": [{"bytes": b"no image", "path": "x"}] * 2, "label": [0, 1]})
    pyarrow.parquet.write_table(table, tmp_path / "test.parquet")
    with pytest.raises(BadInput, match=r"test.parquet, row 0: unreadable image"):
        read(tmp_path)


def test_without_pyarrow_the_error_names_the_extra(downloaded, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"its Parquet files need pyarrow; pip install 'optimizer-sweeper\[parquet\]'"):
        read(downloaded)
