"""Trees of images are read once, seen when they change, and refused by the name of the file that is wrong."""

import logging
import os
import tempfile
import threading
import time

import numpy as np
import pytest
from PIL import Image

import sweeper.datasets.image_folder as module
from sweeper.datasets.image_folder import folder
from sweeper.system.errors import BadInput
from sweeper.system.machine import Memory

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """A cache folder of the test's own, and so few files a thread that even small trees need several."""
    monkeypatch.setattr(module, "FILES_AT_A_TIME", 3)
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


@pytest.fixture
def decoded(monkeypatch):
    """The names of all files decoded, in whatever order."""
    names = []
    real = module._read_image

    def spy(path, side):
        names.append(path.name)
        return real(path, side)

    monkeypatch.setattr(module, "_read_image", spy)
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


def test_other_files_and_hidden_ones_are_ignored(tree):
    root, _ = tree
    (root / "train/labels.txt").write_text("cat dog")
    (root / "train/cat/.DS_Store.png").write_text("no image")
    (root / "train/cat/notes.txt").write_text("no image")
    (root / "train/.hidden").mkdir()
    write_image(root / "train/.hidden/0.png", np.zeros((6, 5, 3), np.uint8))
    assert len(read(root).train_labels) == 6


@pytest.mark.parametrize("ending", ["png", "JPG", "jpeg", "webp", "bmp", "gif", "tif", "ppm"])
def test_formats(tree, ending):
    root, images = tree
    Image.fromarray(images["train/cat/0.png"]).save(root / f"train/cat/more.{ending}")
    assert len(read(root).train_labels) == 7


def test_class_folders_may_be_links_and_folders_below_them_belong_to_the_class(tree, tmp_path):
    root, images = tree
    (root / "train/dog").rename(tmp_path / "elsewhere")
    (root / "train/dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    write_image(tmp_path / "elsewhere/big/7.png", images["train/cat/0.png"])
    assert read(root).train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_val_serves_as_the_test_split(tree):
    root, _ = tree
    (root / "test").rename(root / "valid")
    assert read(root).test_labels.tolist() == [0, 1]


def test_gray_only_when_every_image_is_gray(tree):
    root, images = tree
    for path, pixels in images.items():
        write_image(root / path, pixels[..., 0])
    raw = read(root)
    assert raw.train_images.shape == (6, 6, 5, 1)
    assert (raw.train_images[0, ..., 0] == images["train/cat/0.png"][..., 0]).all()
    write_image(root / "test/dog/0.png", images["test/dog/0.png"])
    assert read(root).train_images.shape == (6, 6, 5, 3)


def test_palettes_and_transparency_become_rgb(tree):
    root, images = tree
    color = Image.fromarray(images["train/cat/0.png"])
    color.quantize(4).save(root / "train/cat/0.png", transparency=0)
    color.convert("RGBA").save(root / "train/cat/1.png")
    raw = read(root)
    assert (raw.train_images[1] == images["train/cat/0.png"]).all()


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


@pytest.mark.parametrize("content", [b"", b"no image at all", "cut off"])
def test_an_unreadable_image_is_named(tree, content):
    root, _ = tree
    path = root / "train/dog/1.png"
    path.write_bytes(path.read_bytes()[:60] if content == "cut off" else content)
    with pytest.raises(BadInput, match=r"train/dog/1\.png: unreadable image") as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_an_image_of_another_size_is_named(tree):
    root, _ = tree
    write_image(root / "test/cat/0.png", np.zeros((9, 5, 3), np.uint8))
    with pytest.raises(BadInput, match=r"test/cat/0\.png: 5x9 pixels, but train/cat/0\.png has 5x6.*image_size"):
        read(root)


def test_sixteen_bits_are_refused(tree):
    root, _ = tree
    write_image(root / "test/cat/0.png", np.zeros((6, 5), np.uint16))
    with pytest.raises(BadInput, match=r"test/cat/0\.png: more than 8 bits"):
        read(root)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / "test").rename(root / "tests"), "test: No such file.*; expected train/<class>"),
        (lambda root: (root / "train").rename(root / "training"), "train: No such file.*; expected train/<class>"),
        (lambda root: (root / "test/dog/0.png").unlink(), "class 'dog' has images in only one of train/ and test/"),
        (lambda root: [p.unlink() for p in root.glob("test/*/*")], "no images in test/; expected"),
        (lambda root: (root / "train/cat/0.png").rename(root / "train/0.png"), r"train/0\.png isn't in a class folder"),
        (lambda root: (root / "train/cat/gone.png").symlink_to("nowhere"), r"gone\.png: No such file"),
    ],
)
def test_a_tree_of_another_form_is_refused(tree, break_it, message):
    root, _ = tree
    break_it(root)
    with pytest.raises(BadInput, match=message) as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"dataset\.root is missing; expected train/<class>"):
        folder({"name": "folder", "root": None, "image_size": None, "workers": None})
    with pytest.raises(BadInput, match=r"nowhere.*No such file.*; expected train/<class>"):
        read(tmp_path / "nowhere")


def test_images_that_the_memory_does_not_hold_are_refused_before_any_is_read(tree, decoded, monkeypatch):
    root, _ = tree
    words = "dataset.image_size=1000000: 8 images of 1000000x1000000 pixels take 22,351.7 GiB of memory, and "
    with pytest.raises(BadInput, match=words):
        read(root, image_size=1_000_000)
    assert decoded == []
    monkeypatch.setattr(module, "memory", lambda: Memory(2**40, 8 * 3 * 5**2))
    assert read(root, image_size=5).train_images.shape == (6, 5, 5, 3)
    with pytest.raises(BadInput, match=r"dataset.root=.*: 8 images of 5x6 pixels .* choose dataset.image_size=2 or"):
        read(root)
