"""`hydra/launcher=slurm` and `slurm_local`: train each run as a job, by hydra-submitit-launcher.

Before a sweep is queued, Slurm is asked whether it can start the jobs, so that none waits forever.
"""

import re
import shutil
import subprocess

from sweeper.system.errors import BadInput, install, nearest
from sweeper.system.module_path import is_installed
from sweeper.train.launchers.interface import Launcher, Options

_OF_SBATCH = ("partition", "account", "qos", "constraint", "gres", "cpus_per_task", "gpus_per_node")
_LEAST = {
    **dict.fromkeys(("timeout_min", "cpus_per_task", "mem_gb", "array_parallelism"), 1),
    **dict.fromkeys(("gpus_per_node", "signal_delay_s", "max_num_timeout"), 0),
}


class SlurmLocal(Launcher):
    """Trains each run in a process on this machine, all at the same time, without Slurm; for trying."""

    name = "slurm_local"
    install = install("slurm")
    target = "hydra_plugins.sweeper_slurm_launcher.SlurmLocalLauncher"

    def check(self, options: Options) -> None:
        if not is_installed("hydra_plugins.hydra_submitit_launcher"):
            raise BadInput(f"hydra/launcher={self.name}: its package isn't installed; {self.install}")
        for key, least in _LEAST.items():
            if (value := options.get(key)) is not None and value < least:
                raise BadInput(f"hydra.launcher.{key}={value}: must be at least {least}")
        if (delay := options.get("signal_delay_s", 0)) >= 60 * options["timeout_min"]:
            limit = f"less than hydra.launcher.timeout_min={options['timeout_min']}"
            raise BadInput(f"hydra.launcher.signal_delay_s={delay}: a run would be warned as it starts; {limit}")

    def has_lost_a_process(self, error: BaseException | None) -> bool:
        return type(error).__name__ == "UncompletedJobError"  # submitit's, which may be missing


class Slurm(SlurmLocal):
    """Trains each run as an element of a Slurm job array."""

    name = "slurm"
    target = "hydra_plugins.sweeper_slurm_launcher.SlurmLauncher"
    elsewhere = True
    outlives = True
    cancels = True

    def prepare(self, options: Options) -> None:
        check_cluster(options)


def check_cluster(launcher: Options) -> None:
    """Check that Slurm can start the runs.

    Raises:
        BadInput: there is no Slurm or no such partition, or none of its nodes has the requested resources.
    """
    if missing := [command for command in ("sbatch", "srun", "sinfo", "squeue") if shutil.which(command) is None]:
        where = "start the sweep where Slurm's commands are, or try it by hydra/launcher=slurm_local"
        raise BadInput(f"hydra/launcher=slurm: there is no {missing[0]} on this machine; {where}")
    code, answer, reason = _ask("sinfo", "--noheader", "--format=%P|%l|%G")
    if code:
        raise BadInput(f"hydra/launcher=slurm: Slurm doesn't answer ({reason}); ask for its state by sinfo")
    rows = [line.split("|") for line in answer.splitlines() if line.count("|") == 2]
    asked = launcher["partition"]
    names = {name.rstrip("*") for name, _, _ in rows}
    for name in asked.split(",") if asked else ():
        if name not in names:
            raise BadInput(f"hydra.launcher.partition={name}: there is no such partition; {nearest(name, names)}")
    fits = [row for row in rows if (row[0].rstrip("*") in asked.split(",") if asked else row[0].endswith("*"))]
    where = f"partition {asked}" if asked else "the default partition"
    limits = [minutes(limit) for _, limit, _ in fits]
    if fits and None not in limits and launcher["timeout_min"] > (most := max(limit or 0 for limit in limits)):
        told = f"hydra.launcher.timeout_min={launcher['timeout_min']}"
        raise BadInput(f"{told}: {where} gives {most} at most; a run that isn't done by then is queued again anyway")
    if fits and (launcher["gpus_per_node"] or 0) > (most := max(gpus(gres) for _, _, gres in fits)):
        asked_for = f"hydra.launcher.gpus_per_node={launcher['gpus_per_node']}"
        raise BadInput(
            f"{asked_for}: no node of {where} has more than {most}; ask for {most}, or for another partition"
        )
    flags = [f"--time={launcher['timeout_min']}"]
    flags += [f"--{key.replace('_', '-')}={launcher[key]}" for key in _OF_SBATCH if launcher[key] is not None]
    if launcher["mem_gb"] is not None:
        flags.append(f"--mem={launcher['mem_gb']}G")
    code, _, reason = _ask("sbatch", "--test-only", *flags, "--wrap=true")
    if code:
        raise BadInput(f"hydra/launcher=slurm: sbatch refuses {' '.join(flags)}: {reason}")


def minutes(limit: str) -> int | None:
    """Convert Slurm's `[days-]hours:minutes:seconds` to whole minutes; None for no limit.

    >>> minutes("1-02:00:30"), minutes("30:00"), minutes("infinite")
    (1560, 30, None)
    """
    days, _, clock = limit.rpartition("-")
    if not re.fullmatch(r"\d+(:\d+){1,2}", clock):
        return None
    hours, mins, _ = [0, *map(int, clock.split(":"))][-3:]
    return int(days or 0) * 1440 + hours * 60 + mins


def gpus(gres: str) -> int:
    """The number of a node's GPUs of all kinds, from Slurm's list of its resources.

    >>> gpus("gpu:h100:4(S:0-1),gpu:2,nic:1"), gpus("(null)")
    (6, 0)
    """
    return sum(int(n) for n in re.findall(r"(?:^|,)gpu(?::[^:,(]*[^\d:,(][^:,(]*)?:(\d+)", gres))


def _ask(*command: str) -> tuple[int, str, str]:
    """Run a command of Slurm. Returns its exit code, its output, and the last line of its errors as the reason."""
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer from {command[0]} in 60 s"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return done.returncode, done.stdout, last.removeprefix(f"{command[0]}: ").removeprefix("error: ")
