"""A Slurm of its own on one machine: a controller and three nodes, all in one folder, without any accounting.

The third is in a partition of its own, `gpu`. Its GPU is the null device, which Slurm grants and nothing computes on.

`python tests/clusters/slurm.py start FOLDER` starts it and tells the line for the shell by which `sbatch` and the
others find it; `python tests/clusters/slurm.py stop FOLDER` ends it. Needs Debian's or Ubuntu's `slurm-wlm` and
`munge`, and root: `munged` and `slurmd` start other users' processes.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

NODES = ("node1", "node2", "node3")
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

# `cred_expire`: a requeued job waits so many seconds, 120 by default. `config_overrides`: nodes may claim CPUs that the
# machine lacks. `linuxproc` and `none`: no cgroups, which a container may lack.
CONFIGURATION = """\
ClusterName=sweeper
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=5
CompleteWait=0
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
GresTypes=gpu
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=node3 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=2 RealMemory=4000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=60 State=UP OverSubscribe=NO
PartitionName=gpu Nodes=node3 MaxTime=120 State=UP OverSubscribe=NO
"""
GPUS = "NodeName=node3 Name=gpu File=/dev/null\n"


class Unavailable(Exception):
    """Slurm isn't here or can't be started; the reason in one line."""


class Slurm:
    """The cluster in `folder`; `environment` is what its commands need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle.

        Raises:
            Unavailable: something is missing, or a node didn't come in time.
        """
        if missing := [command for command in COMMANDS if shutil.which(command, path=PATH) is None]:
            raise Unavailable(f"no {', '.join(missing)}: sudo apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            raise Unavailable("Slurm's daemons are started as root only")
        self._write()
        try:
            self._daemon("munged", f"--socket={self.folder}/munge.socket", f"--key-file={self.folder}/munge.key",
                         f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                         f"--seed-file={self.folder}/munge.seed", "--force")  # fmt: skip  # a folder others may read
            self._daemon("slurmctld", "-c")
            for node in NODES:
                self.start_node(node)
            self.wait_for_nodes()
        except Unavailable:
            self.stop()
            raise

    def start_node(self, node: str) -> None:
        self._daemon("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """What a power cut does: its daemon, the jobs' daemons and all of their processes are gone at once."""
        daemon = self._pid(f"slurmd-{node}.pid")
        assert daemon is not None
        of_jobs = [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if _variable(pid, "SLURMD_NODENAME") == node and _variable(pid, "SLURM_CONF") == self._conf
        ]
        keepers = {parent for pid in of_jobs if (parent := _stepd_above(pid)) is not None}
        for pid in (daemon, *keepers, *of_jobs):  # in this order: nobody is left to tell the controller
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def run(self, *command: object) -> str:
        """One of Slurm's commands; its output."""
        return subprocess.run(
            [*map(str, command)], env=self.environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    def wait_for_nodes(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        states = ""
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.SubprocessError):
                states = self.run("sinfo", "--noheader", "--Node", "--format=%T")
                if states.split() == ["idle"] * len(NODES):
                    return
            time.sleep(0.5)
        logs = (log for log in sorted(self.folder.glob("*.log")))
        told = " ".join(f"{log.name}: {(log.read_text().splitlines() or ['empty'])[-1]}" for log in logs)
        raise Unavailable(f"nodes not idle after {seconds:.0f} s ({' '.join(states.split()) or 'no answer'}); {told}")

    def stop(self) -> None:
        """End every job and every daemon."""
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            self.run("scancel", "--full", "--signal=KILL", "--user=root")
        for name in ("slurmctld.pid", *(f"slurmd-{node}.pid" for node in NODES), "munged.pid"):
            pid = self._pid(name)
            if pid is None:
                continue
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                deadline = time.monotonic() + 10
                while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                    time.sleep(0.1)

    @property
    def _conf(self) -> str:
        return self.environment["SLURM_CONF"]

    def _write(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        text = CONFIGURATION.format(host=socket.gethostname(), folder=self.folder, ports=_free_ports(1 + len(NODES)))
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text(GPUS)

    def _daemon(self, name: str, *arguments: str) -> None:
        """Each goes to the background by itself."""
        done = subprocess.run([name, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{name} doesn't start: {' '.join((done.stderr or done.stdout).split())[-300:]}")

    def _pid(self, name: str) -> int | None:
        try:
            return int((self.folder / name).read_text())
        except (OSError, ValueError):
            return None


def _variable(pid: int, name: str) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = [entry.decode() for entry in environment if entry.startswith(f"{name}=".encode())]
    return found[0].partition("=")[2] if found else None


def _stepd_above(pid: int) -> int | None:
    """The daemon of Slurm's that started this process; None for a process of a process."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        return parent if Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").startswith("slurmstepd") else None
    except OSError:
        return None


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> int:
    action, folder = sys.argv[1:]
    cluster = Slurm(Path(folder))
    if action == "stop":
        cluster.stop()
        return 0
    try:
        cluster.start()
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
