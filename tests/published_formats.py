"""Small data sets in the formats in which the large ones are published, of random images."""

import hashlib
import pickle
import struct

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def make_images(n, shape=(32, 32, 3), n_classes=10):
    return RANDOM.integers(0, 256, (n, *shape), dtype=np.uint8), RANDOM.permutation(np.arange(n) % n_classes)


def write_pickle(path, content):
    """With the integers for `align` and `copy` that the published pickles, of an early NumPy, have."""
    path.write_bytes(pickle.dumps(content, protocol=2).replace(b"\x89\x88\x87", b"K\x00K\x01\x87"))


def write_tree(root, images, labels, test_images, test_labels, classes, path="{split}/{name}/{k:03}.png"):
    for split, pixels, numbers in (("train", images, labels), ("test", test_images, test_labels)):
        for k, (image, label) in enumerate(zip(pixels, numbers, strict=True)):
            file = root / path.format(split=split, name=classes[label], k=k)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return root


def write_idx(folder, images, labels, test_images, test_labels):
    folder.mkdir(parents=True)
    for split, pixels, numbers in (("train", images, labels), ("t10k", test_images, test_labels)):
        header = struct.pack(">4I", 2051, len(pixels), 28, 28)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, len(numbers)) + numbers.astype(np.uint8).tobytes()
        )
