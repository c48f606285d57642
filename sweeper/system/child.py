"""Runs commands, such as `sweeper.train`, as child processes that get the signals of this one."""

import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import IO, Any

from sweeper.system.parent import bound_to_this_process
from sweeper.system.terminal import tell

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(
    command: Sequence[str],
    variables: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
) -> int:
    """Run a command to its end and return its exit code, 128 + the signal's number if one ended it.

    A signal that comes while the command does its last work, or ends, counts too: 128 + its number, whatever the
    command's own exit code.

    What it prints on standard output, such as a sweep's table, is dropped unless `stdout` says where it goes. Its lines
    on standard error are shown.

    The child is in a session of its own, so a Ctrl-C reaches it once, through this process. Signals that this process
    ignores, as by nohup, stay ignored in both. If this process is killed, the child stops as by SIGTERM.

    Args:
        variables: of its environment, beside this process's.
        stdout: a file; None is this process's own.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # signals before the child has started
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    before = _catch(pass_on)
    try:
        environment = bound_to_this_process() | dict(variables or {})
        child = subprocess.Popen(command, stdout=stdout, start_new_session=True, env=environment)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if received and code in (0, 1):
        return 128 + received[0]
    return code if code >= 0 else 128 - code


def run_and_read(command: Sequence[str]) -> tuple[int, bytes]:
    """`run`, and what the command printed on standard output."""
    with tempfile.TemporaryFile() as file:
        code = run(command, stdout=file)
        file.seek(0)
        return code, file.read()


def run_steps(steps: Callable[[], int]) -> int:
    """Call what runs commands one after another, and return its exit code. A signal that comes between two commands
    ends it, with a line: then 128 + the signal's number."""

    def stop(number: int, frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)  # a second one, as `timeout` sends, must not come into this one's line
        raise _Signalled(number)

    before = _catch(stop)
    try:
        return steps()
    except _Signalled as signalled:
        tell("interrupted; the same command goes on")
        return 128 + signalled.number
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def tell_stopped(step: str, code: int, so: str) -> None:
    """Say at which step a command stopped, whose exit code isn't 0; of bad input that step has said it.

    Args:
        so: what isn't done therefore.
    """
    if code in [128 + one for one in SIGNALS]:
        tell(f"interrupted in {step}; the same command goes on")
    elif code != 2:
        tell(f"{step} ended with exit code {code}, so {so}; the same command goes on")


class _Signalled(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


def _catch(receive: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Handle all signals but those that this process ignores. Returns the handlers before."""
    caught = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    return {one: signal.signal(one, receive) for one in caught}
