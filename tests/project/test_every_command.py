"""Page by page, each command of the documentation that needs no cluster, download, GPU or daemon: `make commands`.

`test_pip_commands.py` carries out those that would install something.
"""

import glob
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from documented_commands import CHINESE, LONG, NORMAL, PAGES, read_commands, treatment
from documented_pages import lay_for_all
from small_commands import made_small

pytestmark = pytest.mark.commands
# What is made first where a command of the page reads it.
GIVEN = {
    "against=study": ("-m", *made_small("python -m sweeper.train -m optimizer=sgd,adam seed=1,2,3 outputs=field")),
    "choose --into": ("-m", *made_small("python -m sweeper.train -m experiment=tune dataset=digits outputs=search")),
    "_human": ("-c", "import torch; torch.save({'worse_label': torch.arange(50000).numpy()}, 'CIFAR-10_human.pt')"),
}
# What a command prints that ends with exit code 1, as it should.
RIGHTLY_1 = {
    "benchmarks.reproduce": "at the last epoch, published .*: doesn't hold\n",  # of one epoch
}
MEASURED = REPOSITORY / "benchmarks" / "results"
WITH_THESE = [page for page in PAGES if page != CHINESE and LONG in {treatment(c)[1] for c in read_commands(page)}]


@pytest.fixture(autouse=True)
def measured():
    """The committed figures stay as they are."""

    def figures() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in MEASURED.iterdir()}

    before = figures()
    yield
    assert figures() == before


def commands_of(page: Path) -> list[str]:
    """In the page's order, those of the normal set too, which make what later ones read."""
    by_a_page = [command for command in read_commands(page) if treatment(command)[1] in (NORMAL, LONG)]
    return [command for command in by_a_page if command.startswith(("python ", "find ", "make "))]


def words_of(command: str) -> list[str]:
    """As the page has it, but for what makes it small."""
    if command == "make sweep" or command.startswith(("python -m sweeper.", "python -m benchmarks.")):
        return [sys.executable, "-m", *made_small(command)]
    return ["bash", "-euo", "pipefail", "-c", command.replace("python ", f"{shlex.quote(sys.executable)} ", 1)]


@pytest.mark.parametrize("page", WITH_THESE, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_command_of_a_page_ends_well(tmp_path, page):
    environment = {**os.environ, **lay_for_all(tmp_path, page)}
    todo = [(command, words_of(command)) for command in commands_of(page)]
    for place, words in GIVEN.items():
        if any(place in command for command, _ in todo):
            todo.insert(0, (place, [sys.executable, *words]))
    failed = []
    for command, typed in todo:
        words = [found for word in typed for found in sorted(glob.glob(word, root_dir=tmp_path)) or [word]]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        with (tmp_path / "printed.log").open("a") as log:
            log.write(f"$ {shlex.join(words)}\n{done.stdout}{done.stderr}\nexit code {done.returncode}\n")
        told = next((told for pattern, told in RIGHTLY_1.items() if pattern in command), None)
        if done.returncode != (told is not None) or not re.search(told or "", done.stdout):
            failed.append(f"{command}\n    {done.stderr.strip().splitlines()[-1:]}")
    assert not failed, "\n".join(failed)
