"""What Slurm is asked before a sweep goes into its queue, so that nothing waits there for what never comes."""

import re
import shutil
import subprocess
from typing import Any

from sweeper.system.errors import BadInput, nearest

_OF_SBATCH = ("partition", "account", "qos", "constraint", "gres", "cpus_per_task", "gpus_per_node")

to_queue: set[int] | None = None  # numbers of the sweep's runs that aren't finished: only they get a place in the queue


def check_cluster(launcher: dict[str, Any]) -> None:
    """Whether this machine's Slurm can ever start the runs.

    Raises:
        BadInput: there is no Slurm, or it has no such partition, or no node of it has what is asked for.
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
    """Slurm's `[days-]hours:minutes:seconds` in whole minutes; None for no limit.

    >>> minutes("1-02:00:30"), minutes("30:00"), minutes("infinite")
    (1560, 30, None)
    """
    days, _, clock = limit.rpartition("-")
    if not re.fullmatch(r"\d+(:\d+){1,2}", clock):
        return None
    hours, mins, _ = [0, *map(int, clock.split(":"))][-3:]
    return int(days or 0) * 1440 + hours * 60 + mins


def gpus(gres: str) -> int:
    """GPUs of a node, of all kinds, in Slurm's list of its resources.

    >>> gpus("gpu:h100:4(S:0-1),gpu:2,nic:1"), gpus("(null)")
    (6, 0)
    """
    return sum(int(n) for n in re.findall(r"(?:^|,)gpu(?::[^:,(]*[^\d:,(][^:,(]*)?:(\d+)", gres))


def _ask(*command: str) -> tuple[int, str, str]:
    """Exit code, output, and the reason where it failed, in a line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer from {command[0]} in 60 s"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return done.returncode, done.stdout, last.removeprefix(f"{command[0]}: ").removeprefix("error: ")
