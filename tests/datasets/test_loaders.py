"""torchvision's files are read through its own code and checksums, made small here; no test touches the network."""

import gzip
import logging
import threading
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import torchvision
from published_formats import make_images, md5, write_idx, write_pickle, write_tree

from sweeper.datasets import loaders as datasets
from sweeper.datasets.data import find_loader, load_data
from sweeper.datasets.noise import CIFAR100_SUPERCLASSES
from sweeper.system.errors import BadInput

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100 = tuple(sorted(name for group in CIFAR100_SUPERCLASSES for name in group))
NONE = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}
DIGITS_DIGEST = "e74be25e266e3287f3be8c78488922808a469a7ae79e31820d851b289081366a"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A folder and a cache of the test's own, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def no_network(*_, **__):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", no_network)


def options(name, root=None, **changes):
    loader = "sweeper.datasets.folder" if name == "folder" else f"sweeper.datasets.{name}"
    limits = {"train_limit": None, "test_limit": None, "validation_fraction": 0.0}
    root = None if root is None else str(root)
    return {"name": name, "loader": loader, "root": root, "image_size": None, "workers": None, **limits, **changes}


def read(name, root=None, **changes):
    return find_loader(options(name)["loader"])(options(name, root, **changes))


@pytest.fixture
def cifar10_files(tmp_path, monkeypatch):
    """Two training batches and a test batch in the published format: (root, images, labels, images, labels)."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    content = [*make_images(40), *make_images(20)]
    files = {"data_batch_1": (0, slice(0, 20)), "data_batch_2": (0, slice(20, 40)), "test_batch": (2, slice(None))}
    for name, (part, rows) in files.items():
        flat = content[part][rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
        write_pickle(folder / name, {"data": flat, "labels": content[part + 1][rows].tolist()})
    write_pickle(folder / "batches.meta", {"label_names": list(CIFAR10)})
    sums = {path.name: [path.name, md5(path)] for path in folder.iterdir()}
    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "train_list", [sums["data_batch_1"], sums["data_batch_2"]])
    monkeypatch.setattr(cifar, "test_list", [sums["test_batch"]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": sums["batches.meta"][1]})
    return tmp_path / "data", *content


@pytest.fixture
def cifar100_files(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "cifar-100-python"
    folder.mkdir(parents=True)
    content = [*make_images(200, n_classes=100), *make_images(100, n_classes=100)]
    for part, name in ((0, "train"), (2, "test")):
        flat = content[part].transpose(0, 3, 1, 2).reshape(-1, 3072)
        coarse = [0] * len(flat)
        write_pickle(folder / name, {"data": flat, "fine_labels": content[part + 1].tolist(), "coarse_labels": coarse})
    write_pickle(folder / "meta", {"fine_label_names": list(CIFAR100)})
    cifar = torchvision.datasets.CIFAR100
    monkeypatch.setattr(cifar, "train_list", [["train", md5(folder / "train")]])
    monkeypatch.setattr(cifar, "test_list", [["test", md5(folder / "test")]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(folder / "meta")})
    return tmp_path / "data", *content


def assert_read(raw, images, labels, test_images, test_labels):
    assert (raw.train_images == images).all() and raw.train_images.dtype == np.uint8
    assert (raw.train_labels == labels).all() and raw.train_labels.dtype == np.int64
    assert (raw.test_images == test_images).all()
    assert (raw.test_labels == test_labels).all()
    assert raw.ordered


def test_digits_are_split_by_class_and_always_alike():
    raw = read("digits")
    assert raw.train_images.shape == (1438, 8, 8, 1) and raw.test_images.shape == (359, 8, 8, 1)
    assert (raw.train_images.min(), raw.train_images.max()) == (0, 255)
    share = np.bincount(raw.test_labels) / (np.bincount(raw.test_labels) + np.bincount(raw.train_labels))
    assert share == pytest.approx(0.2, abs=0.003)
    assert load_data(options("digits"), NONE).digest == DIGITS_DIGEST, "golden: the published split has changed"


def test_cifar10_files(cifar10_files):
    root, *content = cifar10_files
    raw = read("cifar10")
    assert_read(raw, *content)
    assert raw.classes == CIFAR10
    assert raw.form == "CIFAR-10 from torchvision's files in data"
    assert_read(read("cifar10", root), *content)


def test_cifar100_files(cifar100_files):
    _, *content = cifar100_files
    raw = read("cifar100")
    assert_read(raw, *content)
    assert raw.classes == CIFAR100


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_files(tmp_path, name, folder):
    content = [*make_images(30, (28, 28, 1)), *make_images(10, (28, 28, 1))]
    write_idx(tmp_path / "data" / folder / "raw", *content)
    raw = read(name)
    assert_read(raw, *content)
    assert len(raw.classes) == 10


def test_archives_put_there_by_hand_are_unpacked(tmp_path, monkeypatch, capsys):
    """MNIST's .gz files without network; what torchvision prints, as some versions do, stays off standard output."""
    content = [*make_images(30, (28, 28, 1)), *make_images(10, (28, 28, 1))]
    folder = tmp_path / "data/MNIST/raw"
    write_idx(folder, *content)
    resources = []
    for file in sorted(folder.iterdir()):
        archive = file.with_name(f"{file.name}.gz")
        archive.write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
        resources.append((archive.name, md5(archive)))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    unpack = torchvision.datasets.MNIST.download
    monkeypatch.setattr(torchvision.datasets.MNIST, "download", lambda self: (print("verified"), unpack(self)))
    assert_read(read("mnist"), *content)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "verified" in printed.err


def test_svhn_files(tmp_path, monkeypatch):
    content = [*make_images(30), *make_images(10)]
    root = tmp_path / "data"
    root.mkdir()
    files = {}
    for part, split in ((0, "train"), (2, "test")):
        path = root / f"{split}_32x32.mat"
        labels = np.where(content[part + 1] == 0, 10, content[part + 1])  # the files call the digit 0 class 10
        scipy.io.savemat(path, {"X": content[part].transpose(1, 2, 3, 0), "y": labels[:, np.newaxis]})
        files[split] = ["http://example.org", path.name, md5(path)]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", files)
    raw = read("svhn")
    assert_read(raw, *content)
    assert raw.classes == tuple("0123456789")


def test_a_tree_and_torchvisions_files_give_the_same_run(cifar10_files, tmp_path):
    _, *content = cifar10_files
    tree = write_tree(tmp_path / "tree", *content, CIFAR10)
    noise = {**NONE, "name": "asymmetric", "kind": "asymmetric", "rate": 0.4}
    limits = {"train_limit": 30, "validation_fraction": 0.2}
    files = load_data(options("cifar10", **limits), noise)
    images = load_data(options("cifar10", tree, **limits), noise)
    folder = load_data(options("folder", tree, **limits), noise)
    assert files.form == "CIFAR-10 from torchvision's files in data"
    assert images.form == f"CIFAR-10 from a tree of images in {tree}"
    for other in (images, folder):
        assert other.digest == files.digest
        assert other.classes == files.classes
        for field in ("corrupted", "true_labels", "train_index", "mean", "std"):
            assert torch.equal(getattr(other, field), getattr(files, field)), field
        for split in ("train", "val", "test"):
            assert torch.equal(getattr(other, split).images, getattr(files, split).images)
            assert torch.equal(getattr(other, split).labels, getattr(files, split).labels)


def test_a_tree_with_superclasses_is_cifar100(cifar100_files, tmp_path):
    _, *content = cifar100_files
    superclass = {name: f"group{k}" for k, group in enumerate(CIFAR100_SUPERCLASSES) for name in group}
    nested = tmp_path / "nested"
    for name, group in superclass.items():
        for split in ("train", "test"):
            (nested / split / group / name).mkdir(parents=True)
            flat = tmp_path / "flat" / split / name
            flat.parent.mkdir(parents=True, exist_ok=True)
            flat.symlink_to(nested / split / group / name)
    write_tree(tmp_path / "flat", *content, CIFAR100)
    digests = {load_data(options("cifar100", root), NONE).digest for root in (None, nested, tmp_path / "flat")}
    assert len(digests) == 1


def test_other_counts_than_the_published_ones_warn(tmp_path, caplog):
    tree = write_tree(tmp_path / "tree", *make_images(20), *make_images(10), CIFAR10)
    with caplog.at_level(logging.WARNING, "sweeper"):
        read("cifar10", tree)
    assert "20 training and 10 test images; CIFAR-10 has 50000 and 10000" in caplog.text


def test_a_tree_of_other_classes_is_refused(tmp_path):
    tree = write_tree(tmp_path / "tree", *make_images(9, n_classes=3), *make_images(3, n_classes=3), CIFAR10)
    with pytest.raises(BadInput, match="3 class folders; CIFAR-10 has 10"):
        read("cifar10", tree)


def test_human_labels_are_refused_for_a_tree(cifar10_files, tmp_path):
    _, *content = cifar10_files
    tree = write_tree(tmp_path / "tree", *content, CIFAR10)
    file = tmp_path / "human.csv"
    np.savetxt(file, (content[1] + 1) % 10, fmt="%d")
    noise = {**NONE, "name": "human", "kind": "human", "file": str(file)}
    assert load_data(options("cifar10"), noise).corrupted.all()
    with pytest.raises(BadInput, match="noise=human: dataset=cifar10 was not read in its published order"):
        load_data(options("cifar10", tree), noise)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("cifar10", "cifar-10-python.tar.gz into data/, or set dataset.root to a tree train/<class>/"),
        ("cifar100", "cifar-100-python.tar.gz into data/, or set dataset.root to a tree train/<class>/"),
        ("mnist", "its four .gz files into data/MNIST/raw/"),
        ("fashion_mnist", "its four .gz files into data/FashionMNIST/raw/"),
        ("svhn", "train_32x32.mat and test_32x32.mat into data/"),
    ],
)
def test_without_files_and_network_the_user_is_told_where_to_put_them(tmp_path, name, where):
    with pytest.raises(BadInput, match=f"dataset={name}: no usable files in data") as caught:
        read(name)
    assert where in str(caught.value)
    assert "no network in tests" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_damaged_cifar10_files_are_not_used(cifar10_files):
    root, *_ = cifar10_files
    path = root / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match=r"no usable files in data.*cifar-10-python\.tar\.gz"):
        read("cifar10")
    assert path.exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:5000], "has 5,000 bytes instead of 23,536"),
        (lambda content: content + b"xx", "has 23,538 bytes instead of 23,536"),
        (lambda content: content[:3], "isn't an IDX file"),
        (lambda content: b"\0\0\x08\x01" + content[4:], "isn't an IDX file"),
    ],
)
def test_damaged_mnist_files_are_not_used(tmp_path, damage, words):
    folder = tmp_path / "data/MNIST/raw"
    write_idx(folder, *make_images(30, (28, 28, 1)), *make_images(10, (28, 28, 1)))
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        BadInput, match=f"mnist: no usable files in data: data/MNIST/raw/{path.name} {words}; remove it"
    ):
        read("mnist")


def test_only_one_process_downloads_at_a_time(monkeypatch):
    inside, most, lock = 0, 0, threading.Lock()
    busy = threading.Event()

    def download(name, root, download):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        busy.wait(0.1)
        with lock:
            inside -= 1
        return None, None

    monkeypatch.setattr(datasets, "_open", download)
    threads = [threading.Thread(target=datasets._download, args=("CIFAR10", Path("data"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_image_size_is_for_trees_only(name):
    with pytest.raises(BadInput, match=f"dataset.image_size=16: dataset={name} has a fixed size"):
        read(name, image_size=16)
