"""Mends what a command is given by its surroundings: closed streams, variables of a notebook or a shell, limits."""

import contextlib
import errno
import io
import os
import sys
import threading

from sweeper.system.errors import RunFailed
from sweeper.system.machine import cores
from sweeper.system.text import size

LEAST_MEMORY = 400_000_000  # bytes of address space; below, NumPy's linear algebra hangs or ends the process
NO_PROCESSES = "processes or threads could be started; allow this user (ulimit -u) or the container more of them"
MOST_DIGITS = 4  # of a terminal's size


def prepare_command() -> None:
    """Call before a command imports a library.

    Raises:
        RunFailed: a limit leaves too little memory, or too few threads, for any command.
    """
    open_closed_streams()
    unbuffer_stderr()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it isn't in a test or a notebook
            stream.reconfigure(errors="replace")
    for name in ("COLUMNS", "LINES"):
        if not _is_size(os.environ.get(name, "80")):
            del os.environ[name]
    if os.environ.get("MPLBACKEND", "").startswith("module://"):  # a notebook's, which its programs inherit
        os.environ["MPLBACKEND"] = "agg"
    check_memory_limit()
    check_process_limit(4 + min(cores(), 64))  # those of OpenBLAS, by which NumPy computes, and some


def open_closed_streams() -> None:
    """Open the null device for each closed standard stream, as by `2>&-`. Otherwise `print` writes elsewhere, and a
    file that is opened next takes the stream's number and gets what libraries write to it."""
    for number in range(3):  # first all numbers, which the streams below would take
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(null, True)  # by the processes that this one starts
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def unbuffer_stderr() -> None:
    """Let stderr keep nothing that it couldn't write, such as to a full disk, here and in the processes that this one
    starts. Python would try to write it again: when it starts a process, which then fails, and at its end."""
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    stream = sys.stderr
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter):
        encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
        with contextlib.suppress(OSError):
            stream.flush()
            raw = stream.detach().detach()
            sys.stderr = io.TextIOWrapper(raw, encoding, errors, None, by_line, write_through=True)
            sys.__stderr__ = sys.stderr  # type: ignore[misc]  # the former one can't be used any more


def check_memory_limit() -> None:
    """Check the limits of `ulimit -v` and `ulimit -d`. With one, NumPy's linear algebra gets a single thread: each
    takes address space, and reports on the terminal that it has found none.

    Raises:
        RunFailed: a limit is below `LEAST_MEMORY`.
    """
    import resource

    for flag, kind in (("-v", resource.RLIMIT_AS), ("-d", resource.RLIMIT_DATA)):
        limit = resource.getrlimit(kind)[0]
        if limit == resource.RLIM_INFINITY:
            continue
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        if limit < LEAST_MEMORY:
            least = f"at least {size(LEAST_MEMORY)}, to train several GB"
            raise RunFailed(f"ulimit {flag} allows this process {size(limit)} of memory; allow it {least}")


def check_process_limit(wanted: int) -> None:
    """Check by starting them that so many more threads or processes can be started. `ulimit -u`, a container and
    systemd limit both together. OpenBLAS answers a lack of them as a Ctrl-C would, joblib's workers end or hang.

    Raises:
        RunFailed: they can't be.
    """
    import resource

    if any(
        resource.getrlimit(kind)[0] != resource.RLIM_INFINITY for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    ):
        return  # each would take address space that is scarce
    wait = threading.Event()
    started = []
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=wait.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise RunFailed(f"only {len(started)} of {wanted} {NO_PROCESSES}") from error
    finally:
        wait.set()
        for thread in started:
            thread.join()


def is_lack_of_processes(error: BaseException) -> bool:
    """Whether no process or thread could be started."""
    if isinstance(error, OSError):
        return error.errno == errno.EAGAIN and error.filename is None
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether there was no memory for Python, for a library that was to be loaded, or for a tensor on the host."""
    words = ("failed to map segment", "cannot allocate memory", "can't allocate memory", "std::bad_alloc")
    return isinstance(error, MemoryError) or (
        isinstance(error, (ImportError, OSError, RuntimeError)) and any(word in str(error).lower() for word in words)
    )


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and int(text) > 0
