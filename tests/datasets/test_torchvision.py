"""What torchvision itself lacks is not taken for missing files, which would be downloaded again."""

import sys

import pytest

from sweeper.datasets import loaders

DATASET = {"name": "cifar10", "image_size": None, "download": False}


def test_a_torchvision_that_can_not_be_imported_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match="torchvision"):
        loaders.cifar10(DATASET | {"root": str(tmp_path)})


def test_files_that_do_not_fit_into_memory_are_not_missing(monkeypatch, tmp_path):
    def fail(name, root, download):
        raise MemoryError

    monkeypatch.setattr(loaders, "_open", fail)
    with pytest.raises(MemoryError):
        loaders.cifar10(DATASET | {"root": str(tmp_path)})
