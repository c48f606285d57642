"""Launchers by their Hydra class. A class of our own may bring its object as its attribute `interface` instead."""

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher as HydraLauncher

from sweeper.system.errors import BadInput
from sweeper.system.process_start import check_process_limit
from sweeper.train.launchers.basic import Basic
from sweeper.train.launchers.interface import Launcher, Options
from sweeper.train.launchers.joblib import Joblib
from sweeper.train.launchers.packed import Packed
from sweeper.train.launchers.ray import Ray
from sweeper.train.launchers.slurm import Slurm, SlurmLocal

DEFAULT = Joblib()
LAUNCHERS = {one.target: one for one in (DEFAULT, Basic(), Packed(), Slurm(), SlurmLocal(), Ray())}


def find_launcher(options: Options) -> Launcher:
    """The launcher that the options of `hydra.launcher` choose.

    A user's Hydra class may have a `Launcher` as its attribute `interface`. Without one, `sweeper` assumes that it
    trains one run after the other in the command's process.
    """
    target = str(options.get("_target_"))
    if target in LAUNCHERS:
        return LAUNCHERS[target]
    brought = getattr(_hydra_classes().get(target), "interface", None)
    return brought if isinstance(brought, Launcher) else Unlisted()


def check_installed(options: Options) -> None:
    """Raises BadInput if Hydra can't import the launcher's class, since its package is missing or broken."""
    target = str(options.get("_target_"))
    if target in LAUNCHERS and target not in _hydra_classes():
        launcher = LAUNCHERS[target]
        raise BadInput(f"hydra/launcher={launcher.name}: Hydra can't import its package; {launcher.install}")


def check_workers(options: Options, runs: int) -> None:
    """Raises BadInput if the launcher can't be imported, RunFailed if its processes can't be started: each has about
    eight threads, and those that make the tables come on top."""
    check_installed(options)
    if not (launcher := find_launcher(options)).elsewhere:
        check_process_limit(8 + 8 * min(runs, launcher.at_a_time(options)))


class Unlisted(Launcher):
    """A user's launcher without the attribute `interface`."""

    def check(self, options: Options) -> None:
        target = str(options.get("_target_"))
        if target not in _hydra_classes():
            where = "Hydra finds launchers in modules of a folder hydra_plugins on PYTHONPATH"
            raise BadInput(f"hydra.launcher._target_={target}: there is no such launcher; {where}")

    def has_lost_a_process(self, error: BaseException | None) -> bool:
        return any(launcher.has_lost_a_process(error) for launcher in LAUNCHERS.values())


def _hydra_classes() -> dict[str, type]:
    found = Plugins.instance().discover(HydraLauncher)
    return {f"{one.__module__}.{one.__qualname__}": one for one in found}
