"""What is known of the published data sets without reading them, against what their loaders give."""

import pytest
from omegaconf import OmegaConf

from sweeper import datasets
from sweeper.config.grid import CONF
from sweeper.datasets.facts import PUBLISHED, is_present


def test_every_loader_of_a_published_set_is_known():
    """Those that the package exports; others need no facts."""
    named = {OmegaConf.load(path).loader for path in (CONF / "dataset").glob("*.yaml")}
    exported = {loader for loader in named if not loader.startswith("sweeper.datasets.loaders.")}
    assert set(PUBLISHED) == exported - {"sweeper.datasets.folder", "sweeper.datasets.hub"}
    assert all(callable(getattr(datasets, path.rpartition(".")[2])) for path in PUBLISHED)


@pytest.mark.parametrize("loader", [datasets.digits, datasets.mnist1d])
def test_what_needs_no_download_has_the_size_that_is_said(loader):
    raw, said = loader({"image_size": None}), PUBLISHED[f"sweeper.datasets.{loader.__name__}"]
    assert (len(raw.train_labels), len(raw.test_labels)) == said.images
    assert raw.train_images.shape[1:] == (*said.shape[1:], said.shape[0]) and len(raw.classes) == said.classes


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("cifar10", "train/cat/1.png"),
        ("cifar100", "cifar-100-python/train"),
        ("mnist", "MNIST/raw/train-images-idx3-ubyte.gz"),
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte"),
        ("svhn", "train_32x32.mat"),
    ],
)
@pytest.mark.parametrize("root", [None, "elsewhere"])
def test_a_set_is_here_when_its_files_are(tmp_path, monkeypatch, name, file, root):
    monkeypatch.chdir(tmp_path)
    dataset = {"loader": f"sweeper.datasets.{name}", "root": root}
    assert not is_present(dataset)
    path = tmp_path / (root or "data") / file
    path.parent.mkdir(parents=True)
    path.touch()
    assert is_present(dataset)


def test_what_needs_no_files_is_here():
    assert is_present({"loader": "sweeper.datasets.digits", "root": None})
    assert is_present({"loader": "my.own.loader", "root": None})
