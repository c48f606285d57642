"""Files that appear whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes, durable: bool = True) -> None:
    """Write beside `path`, then rename: a reader sees the old file or the new one, never a half.

    Args:
        durable: also wait until the content is on the disk, so that it outlives a power cut.

    Raises:
        OSError: the folder can't be written or is full; `path` is as it was.
    """
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
