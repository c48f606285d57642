"""The folders that a command line adds to conf/, where groups, presets and arms of one's own lie."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra

from sweeper.config.grammar import quoted
from sweeper.config.hydra_versions import compose_from, only_ours
from sweeper.config.overrides import parse_overrides
from sweeper.system.errors import BadInput
from sweeper.system.files import CONF


def search_in(folder: str) -> str:
    """The override that adds the folder of `--config-dir`.

    Raises:
        BadInput: there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        file = "is a file; name the folder that holds optimizer/, model/ or other groups"
        raise BadInput(f"--config-dir {folder}: {file if place.is_file() else 'there is no such folder'}")
    return searchpath(place)


def searchpath(*folders: Path) -> str:
    """The override that adds these folders; the first that has a choice counts."""
    return f"hydra.searchpath=[{','.join(quoted(f'file://{folder.resolve()}') for folder in folders)}]"


def loader_with(loader: Any, overrides: list[str]) -> Any:
    """Hydra's configuration loader, with the folders that the command line adds."""
    search_path = copy.deepcopy(loader.get_search_path())
    for place in _added(overrides):
        search_path.append("command line", place)
    return ConfigLoaderImpl(search_path)


def added_folders(overrides: list[str]) -> list[Path]:
    """Those that `--config-dir` and `hydra.searchpath` add to our conf/."""
    return [Path(place.removeprefix("file://")) for place in _added(overrides)]


def _added(overrides: list[str]) -> list[str]:
    """The values of `hydra.searchpath`, such as `file:///home/me/conf`."""
    found = parse_overrides([text for text in overrides if text.startswith("hydra.searchpath=")])
    values = [override.value() for override in found]
    return [str(place) for value in values if isinstance(value, list) for place in value]


@contextmanager
def hydra_at_work() -> Iterator[None]:
    """Initialize Hydra's compose API on our conf/; on exit Hydra's global state is cleared."""
    GlobalHydra.instance().clear()
    with only_ours(), compose_from(str(CONF)):
        yield
