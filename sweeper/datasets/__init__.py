"""The data sets: loading, canonical order, splits and label noise. Their values are in `conf/dataset/`."""

from sweeper.datasets.from_hub import hub
from sweeper.datasets.image_folder import folder
from sweeper.datasets.loaders import cifar10, cifar100, digits, fashion_mnist, mnist, svhn
from sweeper.datasets.raw import RawData
from sweeper.datasets.signals import mnist1d

__all__ = ["RawData", "cifar10", "cifar100", "digits", "fashion_mnist", "folder", "hub", "mnist", "mnist1d", "svhn"]
