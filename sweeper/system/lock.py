"""One owner per run: a lock file with the owner's identity and a heartbeat.

It works on shared folders: it needs neither `flock` nor synchronized clocks. The owner rewrites the file every few
seconds with a counter that it increments. An observer presumes the owner dead when the counter hasn't changed for
`PATIENCE` seconds by the observer's clock, or at once if the owner was a process of this machine that has ended.

With the heartbeat the owner tells how far its work is, see `Lock.facts`.
"""

import contextlib
import errno
import hashlib
import json
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeper.system.files import create_whole, make_folder, read_file, remove_file, write_atomically
from sweeper.system.limits import LOCK_BYTES
from sweeper.system.processes import describe, is_here, is_running, this_process

HEARTBEAT = 5.0  # seconds between two writes of the counter, at most
NEWS = 1.0  # seconds between two writes of facts that have changed, at least
PATIENCE = 60.0  # seconds without a heartbeat after which an owner on another machine is presumed dead

_held: set[str] = set()  # owners in this process: a lock it couldn't remove must not block itself


class Locked(Exception):
    """Another process trains this run. `owner` says which, e.g. `process 4711 on host mini`."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner


class LockLost(Exception):
    """Another process took over this lock, e.g. after this process was suspended for long."""


class Lock:
    """A context manager that acquires the lock `path`.

    Attributes:
        facts: called from another thread, gives what the file tells of the owner's work, as `work`; beside it
            `unchanged` is for how many seconds that has been so.

    Raises:
        Locked: another process owns it.
        OSError: the lock file can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: Callable[[], dict[str, Any]] = dict
        self._me = {"owner": uuid.uuid4().hex, "beat": 0, **this_process()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lock heartbeat", daemon=True)

    def __enter__(self) -> "Lock":
        make_folder(self.path.parent)
        _held.add(self._me["owner"])
        try:
            self._acquire()
        except BaseException as error:
            _held.discard(self._me["owner"])
            if isinstance(error, OSError):
                error.filename, error.filename2 = str(self.path), None
            raise
        self._thread.start()
        return self

    def _acquire(self) -> None:
        while not (create_whole(self.path, json.dumps(self._me)) or self._is_mine()):
            content = _read_bytes(self.path)
            seen = _parse(content)
            if seen is not None and is_alive(self.path, seen):
                raise Locked(describe(seen))
            if content is not None:
                self._take_over(content)

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        _held.discard(self._me["owner"])
        with contextlib.suppress(OSError):  # the folder has become read-only: the lock stays and counts as dead
            if self._is_mine():
                remove_file(self.path)

    def check(self) -> None:
        """Check, before a result is written, that this process still owns the lock.

        Raises:
            LockLost: the file now names another owner.
        """
        if not self._is_mine():
            raise LockLost(f"{self.path}: another process took this run over; this one leaves it alone")

    def _take_over(self, dead: bytes) -> None:
        """Replace a dead lock by ours, unless another process is faster.

        A guard file per dead lock admits one process at a time, which checks again that the lock is still the dead
        one. The lock is replaced atomically and is never missing.
        """
        guard = self.path.with_name(f".{self.path.name}-dead-{hashlib.sha256(dead).hexdigest()[:16]}")
        if not create_whole(guard, self._me["owner"]):
            deadline = time.monotonic() + PATIENCE
            while guard.exists() and time.monotonic() < deadline:
                time.sleep(HEARTBEAT / 5)
            if time.monotonic() >= deadline:  # the process that owns the guard has died
                remove_file(guard)
            return
        try:
            if _read_bytes(self.path) == dead:
                write_atomically(self.path, json.dumps(self._me).encode())
        finally:
            remove_file(guard)

    def _beat(self) -> None:
        written = changed = time.monotonic()
        told: dict[str, Any] = {}
        while not self._stop.wait(min(NEWS, HEARTBEAT)):
            facts, now = self.facts(), time.monotonic()
            if facts != told:
                told, changed = facts, now
            elif now - written < HEARTBEAT:
                continue
            try:
                if not self._is_mine():
                    return
                written = now
                self._me["beat"] += 1
                if told:
                    self._me |= {"work": told, "unchanged": round(now - changed, 1)}
                write_atomically(self.path, json.dumps(self._me).encode(), durable=False)
            except OSError:
                continue  # the folder is full or unreachable: try again at the next beat

    def _is_mine(self) -> bool:
        seen = _parse(_read_bytes(self.path))
        return seen is not None and seen.get("owner") == self._me["owner"]


def holds_any() -> bool:
    """Whether this process holds or acquires a lock."""
    return bool(_held)


def read_lock(path: Path) -> dict[str, Any] | None:
    """The lock's content; None if there is no lock or it can't be read."""
    try:
        return _parse(_read_bytes(path))
    except OSError:
        return None


def is_alive(path: Path, seen: dict[str, Any], wait: bool = True) -> bool:
    """Whether the owner recorded in the lock is alive. Immediate for a process that this machine doesn't hide.

    For an owner on another machine, or a hidden one, it watches the counter for up to `PATIENCE` seconds. With
    `wait=False` it goes by the file's age instead, which is right unless the two clocks differ by more than that. A
    file that is dated ahead by more is no heartbeat either.
    """
    if is_here(seen) and seen.get("pid") == os.getpid() and "owner" in seen:
        return str(seen["owner"]) in _held
    if (running := is_running(seen)) is not None:
        return running
    if not wait:
        try:
            return abs(time.time() - path.stat().st_mtime) < PATIENCE
        except OSError:
            return False
    deadline = time.monotonic() + PATIENCE
    while True:
        last = time.monotonic() >= deadline  # looked at then, too: this process may have been stopped meanwhile
        with contextlib.suppress(OSError):  # a shared folder may be unreadable for a moment
            now = _parse(_read_bytes(path))
            if now is None:
                return False
            if (now.get("owner"), now.get("beat")) != (seen.get("owner"), seen.get("beat")):
                return True
        if last:
            return False
        time.sleep(HEARTBEAT / 5)


def _read_bytes(path: Path) -> bytes | None:
    """The file's content; None if it doesn't exist; empty for what is no lock, such as a dangling link or a huge file.

    Raises:
        OSError: the file exists but can't be read at the moment or by this user.
    """
    try:
        return read_file(path, LOCK_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            return b""  # no lock of ours
        try:
            kind = path.lstat().st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(kind):
            return b""
        if isinstance(error, FileNotFoundError):  # it was created meanwhile
            return _read_bytes(path)
        raise


def _parse(content: bytes | None) -> dict[str, Any] | None:
    try:
        lock = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return lock if isinstance(lock, dict) else None
