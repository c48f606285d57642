"""Random generators by key: the same (seed, epoch, purpose) gives the same numbers on every machine.

All numbers are drawn on the CPU. For one seed the data order, the augmentation and the initial weights are therefore
the same for every optimizer, device and launcher, and after a resume: runs of one seed are paired.
"""

import hashlib
import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream_seed(*key: object) -> int:
    """A 63-bit seed derived from `key`, e.g. `stream_seed(1, 12, "crop")`."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_stream(*key: object) -> np.random.Generator:
    """A NumPy generator for `key`. NumPy's compatibility policy guarantees PCG64's raw stream."""
    return np.random.Generator(np.random.PCG64(stream_seed(*key)))


def torch_stream(*key: object) -> "torch.Generator":
    """A torch CPU generator for `key`."""
    import torch

    return torch.Generator().manual_seed(stream_seed(*key))


def seed_layers(seed: int) -> None:
    """Seed the global generators that layers may use in training: torch's on CPU and device, Python's and NumPy's."""
    import torch

    torch.default_generator.manual_seed(seed)  # `torch.manual_seed` also writes down the stack for each kind not in use
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
