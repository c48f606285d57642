"""A copy of what the package is built from, so that building leaves nothing in the checkout."""

import shutil
from pathlib import Path

from conftest import REPOSITORY


def lay_context(folder: Path) -> Path:
    """Copy what the Dockerfile copies into a new folder. Returns it."""
    for line in (REPOSITORY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in (REPOSITORY / name for name in sources):
                place = folder / target
                if source.is_dir():
                    shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, place)
    return folder
