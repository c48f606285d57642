"""Atomic writes, and reads that don't trust the file.

Everything that is written, moved or removed below a folder of runs goes through this module.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from sweeper.system.errors import one_line

PACKAGE = Path(__file__).resolve().parents[1]  # where sweeper is installed; in a clone, its folder there
# Installed from a wheel conf/ lies in the package; in a clone it lies beside it.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"

_LEFT_BEHIND = re.compile(r"\.(?P<name>.+?)(-dead)?-\w{8,32}")


def write_atomically(path: Path, content: bytes, durable: bool = True, keep: Path | None = None) -> None:
    """Write a temporary file beside `path` and rename it: a reader sees the old file or the new one, never a part.

    Args:
        durable: also wait until the content is on the disk, so that it survives a power cut.
        keep: where to move the old file, replacing what is there. A writer killed between the two renames leaves the
            old file there and nothing at `path`.

    Raises:
        OSError: the folder can't be written or is full; `path` is unchanged and is the error's `filename`.
    """
    with _beside(path, content, durable) as beside:
        if keep is not None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, keep)
        os.replace(beside, path)


def create_whole(path: Path, content: str) -> bool:
    """Create a file atomically by a hard link; False if it already exists."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        beside.write_text(content, encoding="utf-8")
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links, e.g. exFAT
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True


def write_mark(path: Path, text: str) -> None:
    """Write a marker file, not atomically: its existence is the message, the text is the reason."""
    path.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> None:
    """Create a folder and its parents, if missing."""
    path.mkdir(parents=True, exist_ok=True)


def shared_temporary_folder() -> Path:
    """A folder on this machine that is this user's alone, in which processes tell one another of themselves.

    Raises:
        OSError: there is no place for it, or somebody else's folder is in its place.
    """
    folder = Path(tempfile.gettempdir()) / f"optimizer-sweeper-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "it belongs to somebody else", str(folder))
    return folder


def move(source: Path, target: Path) -> None:
    """Rename atomically within one file system; a file at `target` is replaced."""
    os.replace(source, target)


def remove_file(path: Path) -> None:
    """Remove a file; no error if it is missing."""
    path.unlink(missing_ok=True)


def remove_empty_folder(path: Path) -> None:
    """Remove a folder that is empty.

    Raises:
        OSError: it isn't empty or doesn't exist.
    """
    path.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a folder and its content; what can't be removed stays."""
    shutil.rmtree(path, ignore_errors=True)


def write_together(contents: dict[Path, bytes]) -> None:
    """Write files that belong together: all are on the disk before the first one is renamed.

    Raises:
        OSError: as for `write_atomically`; if the folder is full or can't be written, no file has changed.
    """
    with contextlib.ExitStack() as stack:
        written = {path: stack.enter_context(_beside(path, content)) for path, content in contents.items()}
        for path, beside in written.items():
            os.replace(beside, path)


@contextlib.contextmanager
def _beside(path: Path, content: bytes, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary file beside `path` that has the content, to be renamed; it is removed after an error."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield beside
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(beside)):  # a full disk's error has no file name
            error.filename, error.filename2 = str(path), None
        raise


def read_file(path: Path, most: int) -> bytes:
    """A file's content. Pipes and devices are refused, since reading them may block or never end.

    Args:
        most: the largest size to read, in bytes; `limits` has it for each file.

    Raises:
        OSError: it doesn't exist, isn't a regular file, is too large or can't be read.
    """
    with _open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            limit = f"{most >> 20} MiB" if most >= 2**20 else f"{most >> 10} KiB"
            raise OSError(errno.EFBIG, f"of more than {limit}", str(path))
        return file.read(size)


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, or all of a smaller one.

    Raises:
        OSError: as for `read_file`.
    """
    with _open_regular(path) as file:
        return file.read(size)


def is_written(path: Path, content: bytes) -> bool:
    """Whether the file is there with this content."""
    with contextlib.suppress(OSError):
        return read_file(path, len(content)) == content
    return False


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's content, which is read in blocks.

    Raises:
        OSError: it doesn't exist, isn't a regular file or can't be read.
    """
    with _open_regular(path) as file:
        return _digest(file, os.fstat(file.fileno()).st_size)


def _digest(file: BinaryIO, size: int) -> str:
    """The hexadecimal SHA-256 of the next `size` bytes, which are read in blocks."""
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _open_regular(path: Path) -> BinaryIO:
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115  the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a file", str(path))
    return file


def with_checksum(content: bytes) -> bytes:
    """`content` followed by the 64 hexadecimal digits of its SHA-256; zip readers ignore what follows the archive."""
    return content + hashlib.sha256(content).hexdigest().encode()


def read_without_checksum(path: Path) -> bytes:
    """A file's content without the checksum that `with_checksum` appended.

    A file has any size here, so the checksum is computed in blocks, before the content takes memory.

    Raises:
        ValueError: the checksum doesn't match.
        OSError: as for `read_file`.
    """
    with _open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size - 64
        file.seek(max(0, size))
        checksum = file.read(64)
        if not re.fullmatch(rb"[0-9a-f]{64}", checksum):
            raise ValueError("it has no checksum")
        file.seek(0)
        if _digest(file, size).encode() != checksum:
            raise ValueError("its checksum doesn't match")
        file.seek(0)
        return file.read(size)


def when_written(path: Path) -> int | None:
    """The time of a file's last write, in nanoseconds since 1970; None if it isn't there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def clear_way(path: Path) -> None:
    """Remove a link or a pipe where another program will write: it would write to someone's file, or block."""
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, names: Collection[str], older_than: float = 0.0) -> None:
    """Remove temporary files that killed writers of `names` left behind, if they are older than so many seconds; with 0
    all of them, also where this machine's clock is behind the one that dates files."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            left = _LEFT_BEHIND.fullmatch(path.name)
            with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                old = older_than == 0 or time.time() - path.lstat().st_mtime >= older_than
                if left and left["name"] in names and old:
                    path.unlink(missing_ok=True)


def say_what_failed(error: OSError) -> str:
    """One line: the file and the reason."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else one_line(error)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
