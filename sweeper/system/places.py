"""Folders outside of `outputs`, for what can be computed again, on a machine whose home folder may not be writable."""

import os
from pathlib import Path

from sweeper.system.files import make_folder, shared_temporary_folder

# Caches of libraries that they keep in the home folder, and the names of their folders where that isn't possible.
OF_LIBRARIES = {
    "TRITON_CACHE_DIR": "triton",
    "TORCH_HOME": "torch",
    "MPLCONFIGDIR": "matplotlib",
    "HF_HOME": "huggingface",  # and of Trackio in it
    "WANDB_CACHE_DIR": "wandb",
    "WANDB_CONFIG_DIR": "wandb",
    "WANDB_DATA_DIR": "wandb",
}


def cache_folder() -> Path | None:
    """The folder for what can be computed again: `optimizer-sweeper` in XDG_CACHE_HOME, or in `~/.cache`. If that can't
    be written, a folder of this user in the system's temporary folder; None if there is none either."""
    usual = _usual_cache_folder()
    if usual is not None and _can_write(usual):
        return usual
    try:
        spare = shared_temporary_folder() / "cache"
    except OSError:
        return None
    return spare if _can_write(spare) else None


def prepare_caches() -> None:
    """Name the folders of libraries' caches, to be called before they are imported. A variable that is set stays."""
    folder = cache_folder()
    if folder is None:
        return
    wanted = {"TORCHINDUCTOR_CACHE_DIR": "inductor"}  # torch's own default is lost when /tmp is emptied
    if not _home_is_usable():
        wanted |= OF_LIBRARIES
    for variable, name in wanted.items():
        if not os.environ.get(variable):
            os.environ[variable] = str(folder / name)


def _usual_cache_folder() -> Path | None:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "optimizer-sweeper"
    except RuntimeError:  # a user without a name, as in a container
        return None


def _home_is_usable() -> bool:
    try:
        return os.access(Path.home(), os.W_OK | os.X_OK)
    except RuntimeError:
        return False


def _can_write(folder: Path) -> bool:
    try:
        make_folder(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
