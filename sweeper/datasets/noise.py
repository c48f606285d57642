"""Label noise: wrong training labels, the same ones in every run, since they depend on `noise.seed`, not on `seed`.

Flips are nested in the rate: a label flipped at rate 0.2 is flipped at 0.4, too, to the same wrong label.
"""

from pathlib import Path
from typing import Any

import numpy as np

from sweeper.runs.identity import FILE_DIGEST, digest_of
from sweeper.system.errors import BadInput, nearest
from sweeper.system.files import read_file
from sweeper.system.limits import LABELS_BYTES
from sweeper.system.random_streams import numpy_stream
from sweeper.system.text import counted

# Patrini et al. 2017, "Making Deep Neural Networks Robust to Label Noise", section 5.2 (arXiv 1609.03683).
CIFAR10_CONFUSIONS = {
    "truck": "automobile",
    "bird": "airplane",
    "deer": "horse",
    "cat": "dog",
    "dog": "cat",
}

# Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; one superclass per line, in label order.
CIFAR100_SUPERCLASSES = (
    ("beaver", "dolphin", "otter", "seal", "whale"),
    ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    ("orchid", "poppy", "rose", "sunflower", "tulip"),
    ("bottle", "bowl", "can", "cup", "plate"),
    ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    ("clock", "keyboard", "lamp", "telephone", "television"),
    ("bed", "chair", "couch", "table", "wardrobe"),
    ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    ("bear", "leopard", "lion", "tiger", "wolf"),
    ("bridge", "castle", "house", "road", "skyscraper"),
    ("cloud", "forest", "mountain", "plain", "sea"),
    ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    ("fox", "porcupine", "possum", "raccoon", "skunk"),
    ("crab", "lobster", "snail", "spider", "worm"),
    ("baby", "boy", "girl", "man", "woman"),
    ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
)


def corrupt_labels(
    labels: np.ndarray,
    noise: dict[str, Any],
    dataset_name: str,
    classes: tuple[str, ...],
    *,
    original_index: np.ndarray | None,
    original_size: int,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Flip training labels by the kinds of noise in `conf/noise/`.

    - symmetric: to any other class with equal probability; with `own_class`, `rate` is the share redrawn over all
      classes, so that fewer labels are wrong.
    - pair: class i to i + 1, the last to the first (Han et al. 2018, "Co-teaching", arXiv 1804.06872).
    - asymmetric: to a similar class (Patrini et al. 2017, arXiv 1609.03683); in CIFAR-100 to the next class of the
      superclass, the last to the first. `rate` is a share of the images in classes that have such a partner; in
      CIFAR-10 these are half of the classes.
    - human: the labels of `noise.file`, e.g. CIFAR-N's (Wei et al. 2022, arXiv 2110.12088).

    Exactly `round(rate * n)` labels are flipped (redrawn with `own_class`).

    Args:
        labels: (n,) int64, the true classes.
        noise: the node of the group `noise`: `kind`, `rate`, `seed`, `own_class`, `file`.
        original_index: (n,) int64, each image's index in the published order; None if that order is unknown.
        original_size: the number of images in the whole published training set.

    Returns:
        The noisy labels, (n,) int64, and a mask, (n,) bool, True where a label is wrong; None for kind none.

    Raises:
        BadInput: an option doesn't fit the kind, the data set has no such noise, or the label file doesn't match.
    """
    kind = noise["kind"]
    _check_options(noise)
    if kind == "none":
        return labels.copy(), None
    if kind == "human":
        noisy = _human_labels(noise, dataset_name, classes, original_index, original_size)
        return noisy, noisy != labels

    # Raw numbers, because NumPy fixes these for all time, but not how its `permutation` and `integers` use them.
    raw = numpy_stream("noise", noise["seed"], kind).bit_generator.random_raw(2 * len(labels))
    order = np.argsort(raw[: len(labels)], kind="stable")
    draws = raw[len(labels) :]
    wrong, movable = RULES[kind](labels, draws, noise, dataset_name, classes)
    candidates = order[movable[labels[order]]]
    flipped = candidates[: round(noise["rate"] * len(candidates))]
    noisy = labels.copy()
    noisy[flipped] = wrong[flipped]
    return noisy, noisy != labels


def _symmetric(
    labels: np.ndarray, draws: np.ndarray, noise: dict[str, Any], dataset_name: str, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    count = len(classes)
    if noise["own_class"]:
        wrong = (draws % np.uint64(count)).astype(np.int64)
    else:
        wrong = (labels + 1 + (draws % np.uint64(count - 1)).astype(np.int64)) % count
    return wrong, np.ones(count, dtype=bool)


def _pair(
    labels: np.ndarray, draws: np.ndarray, noise: dict[str, Any], dataset_name: str, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    return (labels + 1) % len(classes), np.ones(len(classes), dtype=bool)


def _asymmetric(
    labels: np.ndarray, draws: np.ndarray, noise: dict[str, Any], dataset_name: str, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    partner = _partners(dataset_name, classes)
    return partner[labels], partner != np.arange(len(classes))


# Each kind that draws: from the true labels and as many random 64-bit numbers, the wrong label of every image, (n,)
# int64, and which classes can be flipped at all, (n_classes,) bool.
RULES = {"symmetric": _symmetric, "pair": _pair, "asymmetric": _asymmetric}
KINDS = ("none", *RULES, "human")


def load_human_labels(path: Path, size: int, n_classes: int, digest: str | None = None) -> np.ndarray:
    """Read a text file with one integer label per line, in the published order, after an optional header line.

    Args:
        digest: by which the run that is to be trained on them was named.

    Returns:
        (size,) int64, each in [0, n_classes).

    Raises:
        BadInput: the file doesn't exist, isn't text, or has another number of labels or another digest; or a line,
            which the error names, isn't a label.
    """
    try:
        content = read_file(path, LABELS_BYTES)
        lines = content.decode("utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise BadInput(f"noise.file={path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"noise.file={path}: not a text file; it must hold one integer label a line") from error
    if digest not in (None, digest_of(content)):
        raise BadInput(f"noise.file={path}: has changed since this command began; start it again")
    header = 1 if lines and lines[0].lstrip("\"'# ")[:1].isalpha() else 0
    labels = []
    for number, line in enumerate(lines[header:], start=header + 1):
        text = line.strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < n_classes):
            raise BadInput(
                f"noise.file={path}, line {number}: {text[:40]!r} is no label; expected an integer "
                f"from 0 to {n_classes - 1}"
            )
        labels.append(int(text))
    if len(labels) != size:
        raise BadInput(
            f"noise.file={path}: {counted(len(labels), 'label')}, but the whole training set has "
            f"{counted(size, 'image')}; expected one label a line in the published order"
        )
    return np.array(labels, dtype=np.int64)


def _check_options(noise: dict[str, Any]) -> None:
    """Refuse options without effect: they would give equal runs different identities and mislead readers of tables."""
    kind = noise["kind"]
    if kind not in KINDS:
        raise BadInput(f"noise.kind={kind}: {nearest(kind, KINDS)}")
    if noise["own_class"] and kind != "symmetric":
        raise BadInput(f"noise.own_class=true: noise={kind} never draws a class; it is for noise=symmetric")
    if noise["file"] is not None and kind != "human":
        raise BadInput(f"noise.file={noise['file']}: noise={kind} reads no file; it is for noise=human")
    if kind == "human" and noise["rate"]:
        raise BadInput(f"noise.rate={noise['rate']}: noise=human has the rate of its file; leave it at 0")


def _human_labels(
    noise: dict[str, Any],
    dataset_name: str,
    classes: tuple[str, ...],
    original_index: np.ndarray | None,
    original_size: int,
) -> np.ndarray:
    if (file := noise["file"]) is None:
        raise BadInput("noise=human: noise.file is missing; it must hold one integer label a line, in published order")
    if original_index is None:
        advice = "choose another noise, or a data set that torchvision downloads"
        if dataset_name.startswith("cifar"):
            advice = "use torchvision's files instead of a tree of images (leave dataset.root at null)"
        raise BadInput(
            f"noise=human: dataset={dataset_name} was not read in its published order, so the labels of noise.file "
            f"don't fit; {advice}"
        )
    return load_human_labels(Path(file), original_size, len(classes), noise.get(FILE_DIGEST))[original_index]


def _partners(dataset_name: str, classes: tuple[str, ...]) -> np.ndarray:
    """(n_classes,) int64: the class that each is flipped to; itself for a class without a partner."""
    confusions = dict(CIFAR10_CONFUSIONS)
    if len(classes) == 100:
        confusions = {name: group[(k + 1) % 5] for group in CIFAR100_SUPERCLASSES for k, name in enumerate(group)}
    if len(classes) not in (10, 100) or not {*confusions, *confusions.values()} <= set(classes):
        raise BadInput(
            f"noise=asymmetric: dataset={dataset_name} doesn't have the classes of CIFAR-10 or CIFAR-100, whose "
            "confusions it needs; choose noise=pair or noise=symmetric"
        )
    return np.array([classes.index(confusions.get(name, name)) for name in classes], dtype=np.int64)
