"""Of a tree every image is found, whatever its ending and its folder's name; what isn't taken is counted."""

import errno
import os
import types
import unicodedata

import pytest
import torchvision

import sweeper.datasets.image_files as module
from sweeper.datasets.image_files import describe_files, find_images, find_splits, is_folder, is_junk
from sweeper.system.errors import BadInput

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture
def make(tmp_path):
    """`make(*paths)`: a tree of empty files, and of folders where a path ends with "/"."""

    def make_tree(*paths):
        for path in paths:
            folder = tmp_path / (path if path.endswith("/") else os.path.dirname(path))
            folder.mkdir(parents=True, exist_ok=True)
            if not path.endswith("/"):
                (tmp_path / path).touch()
        return tmp_path

    return make_tree


def tell(root, test_fraction=None):
    splits = find_splits(root, test_fraction)
    train = find_images(root, splits.train, 0)
    return describe_files(splits, train, find_images(root, splits.test, 0) if splits.test is not None else None)


def refusal(root, test_fraction=None):
    with pytest.raises(BadInput) as caught:
        tell(root, test_fraction)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value).replace(f"{root}", "ROOT")


def test_all_that_torchvision_reads_is_taken_in_any_case(make):
    endings = {*torchvision.datasets.folder.IMG_EXTENSIONS, ".gif", ".jfif", ".pbm", ".pnm", ".jpe"}
    root = make(*(f"train/a/0{ending}" for ending in endings), *(f"train/a/1{ending.upper()}" for ending in endings))
    found = find_images(root, "train", 0)
    assert len(found.images) == 2 * len(endings) and not found.left
    assert [file.path for file in found.images] == sorted(file.path for file in found.images)


@pytest.mark.parametrize("reads", [True, False])
def test_avif_is_taken_where_pillow_reads_it_and_else_counted(make, monkeypatch, reads):
    monkeypatch.setitem(module.features.modules, "avif", "PIL._avif")
    monkeypatch.setattr(module.features, "check", lambda feature: reads)
    module._endings.cache_clear()
    found = find_images(make("train/a/0.png", "train/a/1.avif"), "train", 0)
    module._endings.cache_clear()
    assert (len(found.images), dict(found.left)) == ((2, {}) if reads else (1, {".avif": 1}))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ("train test", ("train", "test", [])),
        ("train validation", ("train", "validation", [])),
        ("train val", ("train", "val", [])),
        ("train valid", ("train", "valid", [])),
        ("train dev", ("train", "dev", [])),
        ("train eval", ("train", "eval", [])),
        ("Training Testing", ("Training", "Testing", [])),
        ("TRAIN Val masks", ("TRAIN", "Val", ["masks"])),
        ("train val test", ("train", "test", ["val"])),
        ("train dev validation", ("train", "validation", ["dev"])),
        ("train test __MACOSX .cache @eaDir", ("train", "test", [])),
    ],
)
def test_the_splits_are_known_by_their_folders_names(make, folders, expected):
    assert find_splits(make(*(f"{folder}/a/" for folder in folders.split())), None) == expected


def test_the_name_in_small_letters_wins():
    """Where a file system has both."""
    assert module._first(["TEST", "Test", "test"], module.TEST_FOLDERS) == "test"


def test_folders_that_are_left_are_named(make):
    root = make("train/a/0.png", "test/a/0.png", "val/a/0.png", "masks/")
    assert tell(root) == "1 image in train/, 1 in test/; other folders, not read: masks/, val/"


def test_classes_without_splits_need_a_fraction(make):
    root = make("a/0.png", "b/0.png", "b/1.png", "a/labels.csv")
    expected = "expected train/<class>/* and test/<class>/* with images, or <class>/* and dataset.test_fraction=0.2"
    assert refusal(root) == f"dataset.root=ROOT: no folder train/ in it; {expected}"
    assert tell(root, 0.2) == "3 images; not taken: 1 .csv"
    assert find_images(root, "", 0).classes == ["a", "b", "b"]


def test_classes_may_be_called_like_splits(make):
    root = make("train/0.png", "car/0.png", "test/0.png")
    assert find_images(root, find_splits(root, 0.2).train, 0).classes == ["car", "test", "train"]


def test_training_images_alone_need_a_fraction(make):
    root = make("train/a/0.png", "train/b/0.png")
    folders = "test/, testing/, val/, valid/, validation/, dev/, eval/"
    words = f"no folder of test images in it ({folders}); add one, or hold some of train/ out by dataset.test_fraction="
    assert refusal(root).startswith(f"dataset.root=ROOT: {words}")
    assert find_splits(root, 0.2) == ("train", None, [])


def test_a_fraction_beside_test_images_is_refused(make):
    root = make("train/a/0.png", "val/a/0.png")
    assert refusal(root, 0.2) == "dataset.test_fraction=0.2: ROOT has test images, val/; leave it out"


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["train/a/0.png"], "no images in test/; expected"),
        (["train/a/", "train/b/1.heic"], "no images in train/; not taken: 1 .heic; expected"),
        (["train/a/0.png", "train/0.png"], "train/0.png isn't in a class folder; expected"),
    ],
)
def test_a_tree_of_another_form_is_refused(make, paths, message):
    assert f"dataset.root=ROOT: {message} train/<class>/*" in refusal(make(*paths, "test/"))


def test_a_root_that_is_none_is_refused(make):
    root = make("file", "train/")
    for name, why in (("nowhere", "No such file or directory"), ("file", "Not a directory")):
        assert f"dataset.root=ROOT: {why}; expected train/<class>" in refusal(root / name)


JUNK = (
    "@eaDir/0.jpg",
    ".DS_Store",
    "._0.jpg",
    "Thumbs.db",
    "desktop.ini",
    ".ipynb_checkpoints/0-checkpoint.jpg",
    "__MACOSX/0.jpg",
    ".hidden/0.jpg",
    "#recycle/0.jpg",
    "lost+found/0.jpg",
    "0.jpg/",
)


@pytest.mark.parametrize("folder", ["train/a", "train", "test/a"])
def test_what_other_programs_leave_is_neither_read_nor_told(make, folder):
    root = make("train/a/0.jpg", "test/a/0.jpg", *(f"{folder}/{name}" for name in JUNK[:-1]))
    assert tell(root) == "1 image in train/, 1 in test/"
    assert all(is_junk(name.split("/")[0]) for name in JUNK[:-1])


def test_junk_beside_classes_is_no_class(make):
    root = make("a/0.jpg", "b/0.jpg", *(name for name in JUNK[:-1]))
    assert find_images(root, find_splits(root, 0.5).train, 0).classes == ["a", "b"]


def test_what_is_not_taken_is_counted_by_its_ending(make):
    names = [
        "0.heic",
        "1.HEIC",
        "2.heic",
        "0.txt",
        "1.txt",
        "readme",
        "x.no ending",
        "y.far_too_long",
        "z.xls",
        "0.cr2",
    ]
    names += ["0.mp4", "0.zip"]
    root = make("train/a/0.png", "test/a/0.png", *(f"train/a/{name}" for name in names), "test/a/3.heic", "train/l.csv")
    kinds = "4 .heic, 3 others, 2 .txt, 1 .cr2, 1 .csv, 1 .mp4 and 2 more"
    assert tell(root) == f"1 image in train/, 1 in test/; not taken: {kinds}"


def test_folders_of_classes_without_images_are_named(make):
    root = make(
        "train/a/0.png", "test/a/0.png", "train/b/", "test/b/", "train/c/more/0.txt", "test/d/", "train/a/more/"
    )
    assert tell(root).endswith("; not taken: 1 .txt; empty class folders: b, c, d")


def test_a_folder_of_superclasses_is_no_class(make):
    root = make("train/animal/a/0.png", "train/animal/b/", "train/plant/c/0.png", "train/plant/")
    found = find_images(root, "train", -2)
    assert (found.classes, found.empty) == (["a", "c"], {"b"})


def test_the_forms_of_a_name_are_one(make):
    root = make(f"train/{NFC}/0.png", f"test/{NFD}/0.png", f"test/{NFD}/more/1.png")
    assert NFC != NFD
    assert find_images(root, "train", 0).classes == [NFC]
    assert find_images(root, "test", 0).classes == [NFC, NFC]


def test_two_folders_of_one_name_are_refused(make):
    root = make(f"train/{NFC}/0.png", f"train/{NFD}/0.png", "test/a/")
    words = f"train/ has two folders {NFC!r}, which differ only in Unicode's form (NFC and NFD)"
    assert refusal(root) == f"dataset.root=ROOT: {words}; put their images into one"


def test_links_are_followed_out_of_the_tree_too(make, tmp_path):
    root = make("tree/train/a/0.png", "elsewhere/1.png", "elsewhere/big/2.png", "photo.png") / "tree"
    (root / "train/b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "train/a/1.png").symlink_to(tmp_path / "photo.png")
    (tmp_path / "link").symlink_to(root)
    found = find_images(tmp_path / "link", "train", 0)
    assert [file.path for file in found.images] == [f"train/{n}.png" for n in ("a/0", "a/1", "b/1", "b/big/2")]
    assert found.images[1].size == (tmp_path / "photo.png").stat().st_size


@pytest.mark.parametrize("target", [".", "..", "../..", "../b"])
def test_links_in_a_circle_are_refused_by_the_first_of_them(make, target):
    root = make("train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png")
    (root / "train/a/loop").symlink_to(target, target_is_directory=True)
    (root / "train/b/back").symlink_to("../a", target_is_directory=True)
    words = ": a link to a folder that contains it; remove the link"
    assert refusal(root).startswith("ROOT/train/") and refusal(root).endswith(words)


def test_a_root_of_links_in_a_circle_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "Too many levels of symbolic links" in refusal(tmp_path / "a")


def test_links_to_nothing_and_what_is_no_file_are_counted(make):
    root = make("train/a/0.png", "test/a/0.png")
    for name, target in (("1.png", "nowhere"), ("2.png", "2.png"), ("b", "../gone"), ("3.txt", "nowhere.txt")):
        (root / "train/a" / name).symlink_to(target)
    os.mkfifo(root / "test/a/pipe.png")
    assert tell(root) == "1 image in train/, 1 in test/; not taken: 4 broken links, 1 pipe or device"


def test_a_folder_that_the_disk_does_not_tell_from_a_file_is_not_left_out():
    def entry(number):
        def is_dir():
            raise OSError(number, os.strerror(number), "cats")

        return types.SimpleNamespace(is_dir=is_dir)

    assert not is_folder(entry(errno.ELOOP))
    with pytest.raises(OSError, match="Input/output error"):
        is_folder(entry(errno.EIO))
