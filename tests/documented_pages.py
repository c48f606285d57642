"""What lies in the folder in which the commands of a page are carried out: its files, and what it takes for given."""

import re
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from documented_commands import DOCS, REPOSITORY
from made_runs import make_run
from PIL import Image

FILE = re.compile(r"`([\w./-]+\.(?:py|yaml))`[^`]*:\n\n```\w+\n(.*?)```", re.DOTALL)  # named in the sentence before
INDENTED_FILE = re.compile(r"`([\w./-]+\.yaml)` (?:[^\n]+\n)+\n((?:    [a-z_]+: .*\n)+)")  # in the paragraph before
FOLDERS_OF_RUNS = ("colab-outputs", "laptop", "server")


def lay(folder: Path, page: Path) -> dict[str, str]:
    """Write what the page's commands read. Returns the environment that they need beside this process's."""
    text = page.read_text(encoding="utf-8")
    for name, content in [*FILE.findall(text), *INDENTED_FILE.findall(text)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(content))
    for name in ("pictures", "pets"):
        make_pictures(folder / name)
    (folder / "mypackage.py").write_text("from torch.optim import AdamW as MyOptimizer\n")
    return {"PYTHONPATH": str(REPOSITORY)}


def lay_for_all(folder: Path, page: Path) -> dict[str, str]:
    """The same for commands that need more: CIFAR's images, made ones, others' runs, the study."""
    classes = 100 if page.parent.name == "cifar100" else 10
    make_pictures(folder / "images", [f"class{k:02}" for k in range(classes)], count=5, size=(32, 32))
    for seed, name in enumerate(FOLDERS_OF_RUNS, 1):
        make_run(folder / name, seed=seed)
    if page.is_relative_to(DOCS / "study"):
        shutil.copytree(DOCS / "study", folder / "docs" / "study")
    return lay(folder, page) | {"XDG_CACHE_HOME": str(folder / "cache")}


def make_pictures(
    folder: Path, names: Sequence[str] = ("cat", "dog"), count: int = 4, size: tuple[int, int] = (36, 40)
) -> None:
    """A tree of images, as many of each class for testing as for training."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in names:
            (folder / split / name).mkdir(parents=True)
            for k, pixels in enumerate(random.integers(0, 256, (count, *size, 3), dtype=np.uint8)):
                Image.fromarray(pixels).save(folder / split / name / f"{k}.png")
