"""`hydra/launcher=basic`, Hydra's own launcher: trains one run after the other in the command's process."""

from sweeper.train.launchers.interface import Launcher, Measured, Turns


class Basic(Launcher):
    name = "basic"
    target = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

    def turns(self, measured: Measured) -> Turns:
        return Turns()
