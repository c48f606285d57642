"""Decodes image files into uint8 pixels, as a viewer shows them."""

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from sweeper.datasets.image_files import ImageFile
from sweeper.system.errors import BadInput, one_line
from sweeper.system.machine import cores, memory
from sweeper.system.text import counted, few

# Incremented when the same files would be decoded differently.
DECODING_VERSION = 2
MOST_BROKEN = 50  # then no more are sought: all may be, as on a disk that went away
FILES_AT_A_TIME = 256  # decoded by one task of a thread
# Below this mean file size, in bytes, one thread is fastest, because threads contend for Python's lock. Measured on
# two cores, microseconds per image with one and two threads: 32x32 PNG 91, 195; 128x128 PNG 721, 345.
SMALL_FILE = 8192

ORIENTATION = 0x0112  # EXIF's tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class EncodedImage(NamedTuple):
    """An image that is part of a larger file; `path` says where, for errors."""

    path: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def __str__(self) -> str:
        return self.path


Images = Sequence[ImageFile] | Sequence[EncodedImage]


def decode(root: Path, files: Images, side: int | None, workers: int | None) -> np.ndarray:
    """Decode the images in threads, since Pillow releases Python's lock; returns (n, h, w, c) uint8.

    Raises:
        BadInput: images are unreadable, or sizes differ; the error names the files. Or the images don't fit into this
            machine's memory.
    """
    if side is not None:
        _check_memory(f"dataset.image_size={side}", len(files), side, side)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # about blocks of metadata, and large images
        return _decode_in_threads(root, files, side, workers)


def _decode_in_threads(root: Path, files: Images, side: int | None, workers: int | None) -> np.ndarray:
    def place(k: int) -> Path | EncodedImage:
        file = files[k]
        return root / file.path if isinstance(file, ImageFile) else file

    broken: dict[int, BadInput] = {}

    def read(k: int) -> tuple[np.ndarray, bool] | None:
        try:
            return read_image(place(k), side)
        except BadInput as error:
            broken[k] = error
            if len(broken) >= MOST_BROKEN:
                raise _naming_all(broken, place) from error
            return None

    for sample in range(len(files)):
        if (found := read(sample)) is not None:
            first = found[0]
            break
    else:
        raise _naming_all(broken, place)
    _check_memory(f"dataset.root={root}", len(files), *first.shape[:2])
    images = np.empty((len(files), *first.shape), dtype=np.uint8)

    def decode_some(start: int) -> bool:
        all_gray = True
        for k in range(start, min(start + FILES_AT_A_TIME, len(files))):
            if (found := read(k)) is None:
                continue
            image, gray = found
            if image.shape != first.shape:
                sizes = [f"{shape[1]}x{shape[0]}" for shape in (image.shape, first.shape)]
                raise BadInput(
                    f"{place(k)}: {sizes[0]} pixels, but {files[sample].path} has {sizes[1]}; make them one "
                    "size, or set dataset.image_size"
                )
            images[k] = image
            all_gray &= gray
        return all_gray

    small = sum(file.size for file in files) < SMALL_FILE * len(files)
    threads = max(1, workers) if workers is not None else 1 if small else cores()
    with ThreadPoolExecutor(threads) as pool:
        gray = list(pool.map(decode_some, range(0, len(files), FILES_AT_A_TIME)))
    if broken:
        raise _naming_all(broken, place)
    return np.ascontiguousarray(images[..., :1]) if all(gray) else images


def _naming_all(broken: dict[int, BadInput], place: Callable[[int], object]) -> BadInput:
    """What is wrong with the first of them, and which others are broken, so that a user mends all at once."""
    first, *others = sorted(broken.copy())  # of threads that go on meanwhile
    if not others:
        return broken[first]
    more = f"{counted(len(others), 'more image')} can't be read, too: {few([str(place(k)) for k in others], 10)}"
    return BadInput(f"{broken[first]}; {more}")


def read_image(path: Path | EncodedImage, side: int | None) -> tuple[np.ndarray, bool]:
    """The (h, w, 3) uint8 RGB pixels, and whether the file is grayscale.

    The first frame or page is read, turned by its EXIF orientation; of 16 bits the upper 8 are kept; what is
    transparent shows white. Color profiles aren't applied.
    """
    try:
        with Image.open(path if isinstance(path, Path) else BytesIO(path.content)) as image:
            image.load()
            gray = image.mode in ("L", "1", "LA") or image.mode.startswith("I;16") or image.mode == "I"
            converted = _to_rgb(_upright(image))
            if side is not None:
                converted = ImageOps.fit(converted, (side, side))
            return np.asarray(converted), gray
    except _TooDeep as error:
        raise BadInput(f"{path}: more than 16 bits a pixel (mode {error}); convert it to 8 or 16 bits") from error
    except MemoryError:
        raise  # the file may be whole
    except Exception as error:  # Pillow raises many kinds of errors for a broken file
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Pillow's own
            raise BadInput(f"{path}: can't be read: {error.strerror or error}") from error
        raise BadInput(f"{path}: unreadable image ({one_line(error)}); replace or remove it") from error


class _TooDeep(Exception):
    """An image whose values have no fixed range."""


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # a damaged EXIF block raises many kinds of errors; viewers then show the image as it is stored
        return image
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise _TooDeep(image.mode)
    palette = image.palette.mode if image.mode == "P" and image.palette is not None else ""
    if "transparency" in image.info or image.mode.endswith(("A", "a")) or palette.endswith("A"):
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    return image.convert("RGB")


def _check_memory(option: str, n: int, height: int, width: int) -> None:
    """Refuse images that don't fit into memory, instead of swapping or being killed by the system."""
    needed, free = 3 * n * height * width, memory().available
    if needed > free:
        fits = max(1, math.isqrt(free // (4 * 3 * n)))  # 4: with the copies for splits and batches
        raise BadInput(
            f"{option}: {counted(n, 'image')} of {width}x{height} pixels {'takes' if n == 1 else 'take'} "
            f"{needed / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} are free; choose "
            f"dataset.image_size={fits} or less"
        )
