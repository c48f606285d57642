"""Trees of images are read once, seen when they change, and refused by the name of the file that is wrong."""

import logging
import os
import shutil
import tempfile
import threading
import time
import unicodedata

import numpy as np
import pytest
from PIL import Image

import sweeper.datasets.decode as decode_module
import sweeper.datasets.image_folder as module
from sweeper.datasets.data import load_data
from sweeper.datasets.image_folder import folder
from sweeper.system.errors import BadInput

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """A cache folder of the test's own, and so few files a thread that even small trees need several."""
    monkeypatch.setattr(decode_module, "FILES_AT_A_TIME", 3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "optimizer-sweeper"


@pytest.fixture
def tree(tmp_path):
    """Two classes, three training images and one test image each: (root, {relative path: pixels})."""
    root = tmp_path / "tree"
    images = {}
    for name in ("cat", "dog"):
        for split, count in (("train", 3), ("test", 1)):
            for k in range(count):
                path = f"{split}/{name}/{k}.png"
                images[path] = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
                write_image(root / path, images[path])
    return root, images


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def read(root, **options):
    return folder({"name": "folder", "root": str(root), "image_size": None, "workers": 2, **options})


def load(root):
    options = {"name": "folder", "loader": "sweeper.datasets.folder", "root": str(root), "image_size": None}
    limits = {"workers": 1, "train_limit": None, "test_limit": None, "validation_fraction": 0.0}
    return load_data(options | limits, {"kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None})


@pytest.fixture
def decoded(monkeypatch):
    """The names of all files decoded, in whatever order."""
    names = []
    real = decode_module.read_image

    def spy(path, side):
        names.append(path.name)
        return real(path, side)

    monkeypatch.setattr(decode_module, "read_image", spy)
    return names


def test_a_tree_is_read_pixel_for_pixel(tree):
    root, images = tree
    raw = read(root)
    assert raw.classes == ("cat", "dog")
    assert raw.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert raw.test_labels.tolist() == [0, 1]
    assert raw.train_images.shape == (6, 6, 5, 3)
    expected = [images[f"train/{name}/{k}.png"] for name in ("cat", "dog") for k in range(3)]
    assert (raw.train_images == np.stack(expected)).all()
    assert (raw.test_images[1] == images["test/dog/0.png"]).all()
    assert raw.form == f"images from a tree of images in {root}"
    assert not raw.ordered


def test_gray_only_when_every_image_is_gray(tree):
    root, images = tree
    for path, pixels in images.items():
        write_image(root / path, pixels[..., 0])
    raw = read(root)
    assert raw.train_images.shape == (6, 6, 5, 1)
    assert (raw.train_images[0, ..., 0] == images["train/cat/0.png"][..., 0]).all()
    write_image(root / "test/dog/0.png", images["test/dog/0.png"])
    assert read(root).train_images.shape == (6, 6, 5, 3)


def test_image_size_cuts_and_resizes(tree):
    root, _ = tree
    write_image(root / "train/cat/0.png", np.full((20, 40, 3), 7, np.uint8))
    raw = read(root, image_size=8)
    assert raw.train_images.shape == (6, 8, 8, 3)
    assert (raw.train_images[0] == 7).all()


def test_the_second_time_nothing_is_decoded(tree, decoded, caches):
    root, _ = tree
    first = read(root)
    assert len(decoded) >= 8
    decoded.clear()
    second = read(root)
    assert decoded == []
    assert (first.train_images == second.train_images).all()
    assert (first.test_images == second.test_images).all()
    assert len(list(caches.iterdir())) == 1


def test_a_changed_file_is_seen_even_with_its_old_size_and_time(tree, caches):
    root, images = tree
    path = root / "train/cat/0.png"
    Image.fromarray(images["train/cat/0.png"]).save(path, compress_level=0)
    read(root)
    before = path.stat()
    changed = 255 - images["train/cat/0.png"]
    time.sleep(0.02)  # file systems' clocks tick every few milliseconds
    Image.fromarray(changed).save(path, compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert (read(root).train_images[0] == changed).all()
    assert len(list(caches.iterdir())) == 1, "the outdated cache is removed"


def test_what_an_earlier_version_decoded_is_decoded_anew(tree, decoded, monkeypatch):
    root, _ = tree
    with monkeypatch.context() as patch:
        patch.setattr(module, "DECODING_VERSION", module.DECODING_VERSION - 1)
        read(root)
        assert decoded
        decoded.clear()
        read(root)
        assert not decoded
    read(root)
    assert len(decoded) >= 8


def test_files_that_come_and_go_are_seen(tree):
    root, images = tree
    read(root)
    write_image(root / "train/cat/9.png", images["train/cat/0.png"])
    assert len(read(root).train_labels) == 7
    (root / "train/cat/9.png").unlink()
    (root / "train/cat/0.png").unlink()
    assert len(read(root).train_labels) == 5


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_cache_is_decoded_anew(tree, decoded, caches, damage, caplog):
    root, images = tree
    read(root)
    (cache,) = caches.iterdir()
    content = cache.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    cache.write_bytes({"cut": content[:-5], "flipped": flipped, "empty": b""}[damage])
    decoded.clear()
    with caplog.at_level(logging.WARNING, "sweeper"):
        raw = read(root)
    assert "damaged" in caplog.text
    assert decoded
    assert (raw.train_images[0] == images["train/cat/0.png"]).all()
    assert cache.read_bytes() == content


def test_an_unwritable_cache_is_only_logged(tree, tmp_path, monkeypatch, caplog):
    root, _ = tree
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spare"))
    (tmp_path / "spare").mkdir()
    read(root)
    assert caplog.text == "" and list(tmp_path.glob("spare/*/cache/*")), "kept in the temporary folder"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "sweeper"):
        assert len(read(root).train_labels) == 6
    assert "can't be kept" in caplog.text


def test_two_at_once_get_the_same(tree, caches):
    root, _ = tree
    results = []
    threads = [threading.Thread(target=lambda: results.append(read(root))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all((raw.train_images == results[0].train_images).all() for raw in results)
    assert len(list(caches.iterdir())) == 1


def test_an_image_of_another_size_is_named(tree):
    root, _ = tree
    write_image(root / "test/cat/0.png", np.zeros((9, 5, 3), np.uint8))
    with pytest.raises(BadInput, match=r"test/cat/0\.png: 5x9 pixels, but train/cat/0\.png has 5x6.*image_size"):
        read(root)


def test_the_line_of_what_was_read(tree):
    root, _ = tree
    (root / "train/cat/3.heic").write_bytes(b"")
    (root / "train/fox").mkdir()
    line = "6 images in train/, 2 in test/; not taken: 1 .heic; empty class folders: fox"
    assert read(root).files == line
    assert read(root).classes == ("cat", "dog"), "a folder without images is no class"


def test_a_class_of_one_split_alone_is_refused_with_what_was_not_taken(tree):
    root, _ = tree
    (root / "test/dog/0.png").rename(root / "test/dog/0.heic")
    advice = "add some to the other, or move the class elsewhere"
    words = rf"class 'dog' has images in only one of train/ and test/; {advice}; not taken: 1 \.heic$"
    with pytest.raises(BadInput, match=words):
        read(root)


@pytest.mark.parametrize("root_of", [lambda root: root, lambda root: root / "train"])
def test_a_tree_without_test_images_is_read_whole_for_the_caller_to_hold_some_out(tree, root_of):
    root, images = tree
    shutil.rmtree(root / "test")
    raw = read(root_of(root), test_fraction=0.4)
    assert raw.train_labels.tolist() == [0, 0, 0, 1, 1, 1] and raw.classes == ("cat", "dog")
    assert (raw.train_images[5] == images["train/dog/2.png"]).all()
    assert len(raw.test_images) == len(raw.test_labels) == 0
    assert raw.files == ("6 images in train/" if root_of(root) == root else "6 images")


def test_a_photos_orientation_is_part_of_the_datas_digest(tree):
    root, _ = tree
    photo = Image.fromarray(RANDOM.integers(0, 256, (6, 5, 3), np.uint8))
    digests = []
    for orientation in (1, 3):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo.save(root / "train/cat/0.png", exif=exif)
        digests.append(load(root).digest)
    photo.transpose(Image.Transpose.ROTATE_180).save(root / "train/cat/0.png")
    assert digests[0] != digests[1] == load(root).digest


def test_the_forms_of_a_name_are_one_class_with_one_digest(tree):
    """A tree copied from macOS, whose names are decomposed, gives the same data."""
    root, _ = tree
    for split in ("train", "test"):
        (root / split / "dog").rename(root / split / unicodedata.normalize("NFC", "dög"))
    one = load(root)
    (root / "test" / unicodedata.normalize("NFC", "dög")).rename(root / "test" / unicodedata.normalize("NFD", "dög"))
    two = load(root)
    assert one.classes == two.classes == ("cat", unicodedata.normalize("NFC", "dög"))
    assert one.digest == two.digest
