"""The interface of a launcher: what `train` and `plan` must know beyond Hydra's own launcher class.

Hydra's class, which the launcher's YAML names by `_target_`, starts the runs. Beside it, one object of this interface
checks the options, asks the cluster before a sweep, says how many runs share this machine, and detects runs whose
process died. The base class describes a launcher that trains one run after the other in this process; each launcher's
file overrides the differences.
"""

import contextlib
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from sweeper.train.threads import share_of_cores

Options = Mapping[str, Any]  # `hydra.launcher`


class Measured(NamedTuple):
    """What `plan` has measured on this machine."""

    processes: int  # that the default launcher lets train at the same time
    gpus: int
    lanes: int  # runs that one process trains at the same time on one GPU
    gain: float  # their total speed, relative to one run after the other


class Turns(NamedTuple):
    """How a launcher divides this machine among its runs."""

    at_a_time: int = 1  # runs that train at the same time
    places: int = 1  # each trains one run after the other; the lanes of a GPU count as one faster place
    gain: float = 1.0  # the speed of a place, relative to one run alone
    own_processes: bool = False  # each place imports torch and loads the data itself


class Launcher:
    """A launcher. It has no state: each method gets the options, `hydra.launcher`."""

    name = ""  # the choice in `hydra/launcher=name`
    target = ""  # Hydra's class, the `_target_` in the YAML
    install = ""  # how to install the package that brings Hydra's class; for the end of an error message
    elsewhere = False  # whether runs train on other machines
    outlives = False  # whether runs go on when the command's terminal is closed, as jobs in a queue do
    cancels = False  # whether a cluster may cancel runs: an unfinished run that nobody trains isn't launched again

    def check(self, options: Options) -> None:
        """Validate the options. `train` and `plan` call it before anything is started or written.

        Raises:
            BadInput: an option is invalid.
        """

    def prepare(self, options: Options) -> None:
        """Connect to the cluster and check that it has what the runs need. Called before a sweep with runs to train.

        Raises:
            BadInput: there is no cluster, or it can never provide what a run needs.
        """

    def at_a_time(self, options: Options) -> int:
        """How many processes on this machine train at the same time."""
        return 1

    def threads(self, options: Options) -> int:
        """CPU threads of a new run if `device.threads` is null: its share of the cores.

        The number depends only on the options and the machine, not on how many runs the sweep has or has left. So a
        run gives the same bits whether it is launched alone or in a whole sweep.
        """
        return share_of_cores(self.at_a_time(options))

    def advice(self, options: Options, configs: list[dict[str, Any]], runs: int) -> str | None:
        """One line of advice if other options would make the sweep faster; else None.

        Args:
            configs: configurations of the runs to train, at least one.
            runs: the number of runs of the sweep, including finished ones.
        """
        return None

    def turns(self, measured: Measured) -> Turns | None:
        """The division of the machine from which `plan` computes the sweep's time; None if it is unknown."""
        return None

    def exit_codes(self, codes: dict[int, int]) -> AbstractContextManager[None]:
        """Context for a launch: adds the exit code of each process that ends by itself to `codes`, by process id."""
        return contextlib.nullcontext()

    def bound(self) -> AbstractContextManager[None]:
        """Context for a launch: processes that it starts on this machine end when this process ends, in any way."""
        return contextlib.nullcontext()

    def has_lost_a_process(self, error: BaseException | None) -> bool:
        """Whether a launch ended by `error` because a process that trained a run died."""
        return isinstance(error, BrokenProcessPool)
