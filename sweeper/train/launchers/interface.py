"""What a sweep asks of its launcher.

Hydra's class of a launcher, which its YAML names by `_target_`, starts the runs. Beside it stands one object of this
interface with all else that `train` and `plan` must know: what its options may be, what its cluster must be asked
before the sweep, how many runs share this machine, and what becomes of a run whose process ends. The base class answers
for a launcher that trains one run after the other in this process; a launcher's own file overrides what is different.
"""

import contextlib
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from sweeper.train.threads import share_of_cores

Options = Mapping[str, Any]  # `hydra.launcher`


class Measured(NamedTuple):
    """What `plan` has measured of this machine."""

    processes: int  # that train at a time by the default launcher
    gpus: int
    lanes: int  # runs at a time on one GPU in one process,
    gain: float  # and how many times as fast they train in total as one after the other


class Turns(NamedTuple):
    """How a launcher's runs take turns on this machine."""

    at_a_time: int = 1
    places: int = 1  # that each take one run after the other; runs that share a place are as one that is faster
    gain: float = 1.0  # how many times as fast
    own_processes: bool = False  # each place must import and read the data itself


class Launcher:
    """One launcher. It has no state: each method gets the options of `hydra.launcher`."""

    name = ""  # its choice of `hydra/launcher`
    target = ""  # Hydra's class, `_target_` in its YAML
    elsewhere = False  # runs have other machines than this one
    cancels = False  # runs can be cancelled there: one that nobody trains and that isn't finished isn't begun again

    def check(self, options: Options) -> None:
        """Before anything is started or written, by `plan` too: refuse options that can't be right.

        Raises:
            BadInput: in one line.
        """

    def prepare(self, options: Options) -> None:
        """Before a sweep that has runs to do: ask its cluster for what the runs need, and connect to it.

        Raises:
            BadInput: there is no cluster, or it never has what a run needs.
        """

    def at_a_time(self, options: Options) -> int:
        """How many processes of this machine train at a time."""
        return 1

    def threads(self, options: Options) -> int:
        """CPU threads of a run that begins, where `device.threads` doesn't say it: its share of the cores.

        It follows from the options and the machine alone. It doesn't depend on how many runs the sweep has, or has
        left, so a run trained alone by the launcher and one of a whole sweep agree to the bit.
        """
        return share_of_cores(self.at_a_time(options))

    def advice(self, options: Options, configs: list[dict[str, Any]], runs: int) -> str | None:
        """A line for a sweep that would be faster otherwise; None where there is nothing better.

        Args:
            configs: configurations of the runs to do, at least one.
            runs: of the sweep, finished ones included.
        """
        return None

    def turns(self, measured: Measured) -> Turns | None:
        """What `plan` reckons the sweep's time by; None where that can't be known."""
        return None

    def exit_codes(self, codes: dict[int, int]) -> AbstractContextManager[None]:
        """Around a launch: put the exit code of each process that ends by itself into `codes`, by process id."""
        return contextlib.nullcontext()

    def has_lost_a_process(self, error: BaseException | None) -> bool:
        """Whether a launch ended by `error` because a process that trained a run died."""
        return isinstance(error, BrokenProcessPool)
