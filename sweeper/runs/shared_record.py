"""JSON records in the folder of all runs to which several sweeps add: refused, and never replaced, if damaged."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeper.system.errors import BadInput
from sweeper.system.files import make_folder, read_file, write_atomically
from sweeper.system.limits import SWEEP_BYTES
from sweeper.system.lock import Lock, Locked

_TRIES, _PAUSE = 100, 0.1  # seconds, to wait for another sweep that writes the file


def read_shared(path: Path, says: str) -> dict[str, Any] | None:
    """The object in the file; None if there is no file.

    Args:
        says: what the file says, for the error.

    Raises:
        BadInput: the file can't be read, or holds something else: without it an answer would be another one.
    """
    try:
        content = json.loads(read_file(path, SWEEP_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}; it says {says}: make it readable") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, says) from error
    if not isinstance(content, dict):
        raise damaged(path, says)
    return content


def damaged(path: Path, says: str) -> BadInput:
    """The error of a file that isn't what it must be."""
    return BadInput(f"{path}: is damaged; put an earlier copy back, or move it away: nothing else says {says}")


def write_shared(path: Path, content: dict[str, Any]) -> None:
    make_folder(path.parent)
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


@contextlib.contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """A context in which no other sweep changes the file; after ten seconds it goes on, since the other one hangs.

    Raises:
        OSError: the folder can't be written.
    """
    with contextlib.ExitStack() as stack:
        for _ in range(_TRIES):
            try:
                stack.enter_context(Lock(path.with_name(f".{path.name}.lock")))
                break
            except Locked:
                time.sleep(_PAUSE)
        yield
