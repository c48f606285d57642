"""The documented viewers of trackers show a run that was tracked for them."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY, run_module
from documented_commands import PAGES, VIEWERS, read_commands, treatment

pytestmark = [pytest.mark.tracker, pytest.mark.slow]
DOCUMENTED = sorted({c for page in PAGES for c in read_commands(page) if treatment(c)[1] == VIEWERS})
# What is added to a command, where its server answers, and what it then says.
VIEWS = {
    "tensorboard": (("--port", "0"), "data/runs", r'\["digits-mlp/sgd-seed1-\w+/tensorboard"\]'),
    "trackio": ((), "", "<title>Trackio Dashboard</title>"),
}


@contextlib.contextmanager
def served(folder: Path, environment: dict[str, str], *words: str) -> Iterator[str]:
    """The address that a viewer tells."""
    log = folder / "viewer.log"
    with log.open("w") as file:
        viewer = subprocess.Popen(words, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while (found := re.search(r"http://[\w.]+:\d+", log.read_text())) is None:
            assert viewer.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield found[0]
    finally:
        os.killpg(viewer.pid, signal.SIGKILL)  # with the server of its data
        viewer.wait()


def answer(address: str, wanted: str) -> str:
    """What the server says, as soon as it is what is wanted: it reads files in the background."""
    said, deadline = "", time.monotonic() + 60
    while not re.search(wanted, said) and time.monotonic() < deadline:
        time.sleep(0.2)
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=20) as page:
            said = page.read().decode()
    return said


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_viewer_shows_the_run(tmp_path, command):
    name, *words = shlex.split(command)
    pytest.importorskip(name)
    added, place, wanted = VIEWS[name]
    own = {"TRACKIO_DIR": str(tmp_path / "trackio"), "BROWSER": "true", "PYTHONUNBUFFERED": "1"}
    done = run_module("train", *TINY, "epochs=1", "model=mlp", f"tracking={name}", cwd=tmp_path, **own)
    assert done.returncode == 0, done.stderr
    script = str(Path(sys.executable).with_name(name))
    with served(tmp_path, {**os.environ, **own}, script, *words, *added) as address:
        assert re.search(wanted, answer(f"{address}/{place}", wanted))
