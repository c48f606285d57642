"""Build the Dockerfile's image and run it: by Docker or Podman, or by Buildah upon an empty root in place of its base.

Buildah runs as root without a daemon or a registry: debootstrap makes the root, of this machine's distribution.
"""

import ast
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from conftest import REPOSITORY

Done = subprocess.CompletedProcess[str]
NAME = "sweeper-test"
BASE = re.search(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]
# Its Python in /usr/local, as in the base image, where pip may install.
EMPTY_ROOT = "FROM scratch\nCOPY root /\nRUN python3 -m venv /usr/local\n"
OF_BUILDAH = re.compile(r"(subprocess exited with status \d+\n)+Error: .*\n\Z")  # its own words after an error


class NoBuilder(Exception):
    """Why the image can't be built here, in a line."""


class Builder(Protocol):
    def build(self, **arguments: str) -> None:
        """Build the image, with `--build-arg NAME=VALUE` for each argument.

        Raises:
            CalledProcessError: a step failed; `stdout` has what the builder printed.
        """

    def run(self, *words: object, outputs: Path | None = None, entrypoint: str = "", user: str = "") -> Done:
        """`docker run` with the words after the image's name, and the folder, if any, as its /work/outputs."""


@contextlib.contextmanager
def find_builder(folder: Path, gigabytes: int) -> Iterator[Builder]:
    """A builder that works here, which keeps what it needs in the folder; the image is removed afterwards.

    Args:
        gigabytes: what Buildah needs while it builds, which holds the installed packages three times.

    Raises:
        NoBuilder: there is none.
    """
    for program in ("docker", "podman"):
        if _succeeds(program, "info") and (_succeeds(program, "inspect", BASE) or _succeeds(program, "pull", BASE)):
            try:
                yield _Docker(program)
            finally:
                _succeeds(program, "rmi", "--force", NAME)
            return
    if os.geteuid() != 0 or shutil.which("buildah") is None or shutil.which("debootstrap") is None:
        raise NoBuilder(f"needs Docker or Podman with {BASE}; or root, and apt-get install buildah debootstrap")
    if shutil.disk_usage(folder).free < gigabytes * 1e9:
        raise NoBuilder(f"needs {gigabytes} GB free in {folder}")
    builder = _Buildah(folder)
    try:
        builder.make_base()
        yield builder
    finally:
        builder.remove()


class _Docker:
    """Docker, and Podman, whose commands are the same."""

    def __init__(self, program: str) -> None:
        self.program = program

    def build(self, **arguments: str) -> None:
        _check(self.program, "build", *_build_arguments(arguments), "--tag", NAME, REPOSITORY)

    def run(self, *words: object, outputs: Path | None = None, entrypoint: str = "", user: str = "") -> Done:
        options = ["--rm", *_run_options(outputs, user), *(["--entrypoint", entrypoint] if entrypoint else [])]
        return _call(self.program, "run", *options, NAME, *words)


class _Buildah:
    """Each step and command in a `chroot`; images in a store of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = ("buildah", "--root", folder / "store", "--runroot", folder / "state")

    def make_base(self) -> None:
        folder = self.folder
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        packages = "--include=ca-certificates,python3-venv,python3-dev"  # the base image has Python's headers too
        _check("debootstrap", "--variant=minbase", packages, release, folder / "root")
        (folder / "Dockerfile").write_text(EMPTY_ROOT, encoding="utf-8")
        _check(*self.command, "bud", "--isolation", "chroot", "--tag", "base", folder)
        shutil.rmtree(folder / "root")

    def build(self, **arguments: str) -> None:
        mounts = [f"--volume={path}:{path}:ro" for path in _pips_paths()]
        (self.folder / "pip.conf").write_text(_pips_settings(), encoding="utf-8")
        mounts.append(f"--volume={self.folder / 'pip.conf'}:/etc/pip.conf:ro")
        options = ["--isolation", "chroot", "--from", "base", *mounts, *_build_arguments(arguments)]
        _check(*self.command, "bud", *options, "--tag", NAME, REPOSITORY)

    def run(self, *words: object, outputs: Path | None = None, entrypoint: str = "", user: str = "") -> Done:
        config = json.loads(_check(*self.command, "inspect", "--type", "image", NAME))["OCIv1"]["config"]
        whole = [entrypoint, *words] if entrypoint else [*config["Entrypoint"], *(words or config["Cmd"])]
        container = _check(*self.command, "from", NAME).strip()
        options = ["--isolation", "chroot", *_run_options(outputs, user)]
        try:
            done = _call(*self.command, "run", *options, container, "--", *whole)
        finally:
            _check(*self.command, "rm", container)
        done.stderr = OF_BUILDAH.sub("", done.stderr)
        return done

    def remove(self) -> None:
        _call(*self.command, "rm", "--all")
        _call(*self.command, "rmi", "--all", "--force")
        for mounted in ("root/proc", "store/overlay"):  # as an interrupted step leaves them
            _call("umount", self.folder / mounted)
        shutil.rmtree(self.folder)


def _build_arguments(arguments: dict[str, str]) -> list[str]:
    return [f"--build-arg={name}={value}" for name, value in arguments.items()]


def _run_options(outputs: Path | None, user: str) -> list[str]:
    return [*([f"--volume={outputs}:/work/outputs"] if outputs else []), *([f"--user={user}"] if user else [])]


def _pips_options() -> dict[str, str]:
    """Where this machine's pip is set to find packages, certificates and constraints; the environment's values win."""
    listed = _check(sys.executable, "-m", "pip", "config", "list")
    options: dict[str, str] = {}
    for name, _, value in (line.partition("=") for line in listed.splitlines()):
        options.setdefault(name.rpartition(".")[2], " ".join(ast.literal_eval(value).split()))
    return options


def _pips_settings() -> str:
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in _pips_options().items())])


def _pips_paths() -> set[Path]:
    """The local files and folders that pip's settings name. An index lies in a folder beside the files it links to."""
    found = set()
    for word in " ".join(_pips_options().values()).split():
        path = Path(unquote(word.removeprefix("file://")))
        if path.is_absolute() and path.exists():
            found.add(path.parent if word.startswith("file://") and len(path.parts) > 2 else path)
    return found


def _succeeds(*command: str) -> bool:
    return shutil.which(command[0]) is not None and _call(*command).returncode == 0


def _check(*command: object) -> str:
    done = _call(*command)
    if done.returncode:
        sys.stdout.write(done.stderr)  # pytest shows it
    done.check_returncode()
    return done.stdout


def _call(*command: object) -> Done:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
