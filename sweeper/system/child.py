"""Runs a command, such as `sweeper.train`, as a child process that gets the signals of this one."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import IO

from sweeper.system.parent import bound_to_this_process

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
    caught = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # signals before the child has started
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    before = {one: signal.signal(one, pass_on) for one in caught}
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
