"""Where a run's setting was tuned, in words: its record has the hash of those images, its row whether they are its own.

A run is configured before its images are read, so which they are is known when both hashes are in a record.
"""

import re

_ON_IMAGES = re.compile(r"(.+) on images ([0-9a-f]{8})")
IMAGES = re.compile(r"[0-9a-f]{8}")  # a hash as rows have it


def on_images(words: str, images: str) -> str:
    """The words for a record.

    >>> on_images("9 epochs", "01234567")
    '9 epochs on images 01234567'
    """
    return f"{words} on images {images}"


def by_images(recorded: str, images: str | None) -> str:
    """The words for tables.

    Args:
        images: the hash of the run's images; None: unknown.

    >>> [by_images("9 epochs on images 01234567", images) for images in ("01234567", "89abcdef", None)]
    ['9 epochs', '9 epochs on other images', '9 epochs']
    >>> by_images("9 epochs on another recipe", "89abcdef")
    '9 epochs on another recipe'
    """
    if (told := _ON_IMAGES.fullmatch(recorded)) is None:
        return recorded
    return told[1] if images in (None, told[2]) else f"{told[1]} on other images"
