"""Keeps measured gains on disk, so that the next sweep of the same kinds of runs begins with the best number of lanes.

A file is valid for one GPU, one version of torch and one state of the engine's code. It is only a hint: without a valid
one the gains are measured.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import math
from collections.abc import Collection
from pathlib import Path

from sweeper.system.files import make_folder, write_atomically
from sweeper.system.machine import gpu_name
from sweeper.system.places import cache_folder
from sweeper.train.launchers.lane_gains import Gains

CODE = [Path(__file__).resolve().parents[2] / room for room in ("engine", "optimizers")]


def known_gains(kinds: Collection[str]) -> dict[int, float] | None:
    """The gains measured before on this GPU for a sweep with these kinds of runs; None if there are none."""
    facts, file = _facts(kinds), _file(kinds)
    if file is None:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        gains = {int(n): float(gain) for n, gain in found.pop("gains").items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    valid = gains.get(1) == 1.0 and all(n >= 1 and 0 <= gain < math.inf for n, gain in gains.items())
    return gains if found == facts and valid else None


def keep_gains(kinds: Collection[str], gains: Gains) -> None:
    """Write them, where a folder for caches can be written."""
    file = _file(kinds)
    if file is None:
        return
    content = _facts(kinds) | {"gains": {str(n): round(gain, 4) for n, gain in gains.items()}}
    with contextlib.suppress(OSError):
        make_folder(file.parent)
        write_atomically(file, json.dumps(content, indent=1).encode(), durable=False)


def _file(kinds: Collection[str]) -> Path | None:
    folder = cache_folder()
    name = hashlib.sha256(json.dumps(_facts(kinds), sort_keys=True).encode()).hexdigest()[:16]
    return None if folder is None else folder / "lanes" / f"{name}.json"


def _facts(kinds: Collection[str]) -> dict[str, object]:
    """What the gains depend on."""
    return {"gpu": gpu_name(), "torch": _torch(), "engine": _engine(), "kinds": sorted(set(kinds))}


def _torch() -> str:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _engine() -> str:
    """A digest of the source of the engine and of our optimizers; a user's own code isn't looked at."""
    digest = hashlib.sha256()
    for path in sorted(path for room in CODE for path in room.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
