"""`sweeper datasets NAME …`: downloads published data sets to where runs look for them."""

import importlib
import sys

from sweeper import __version__
from sweeper.datasets.facts import DOWNLOADS, PUBLISHED, download_command, is_present, published_names
from sweeper.system.command import check_current_folder, exit_code_of
from sweeper.system.errors import BadInput, nearest
from sweeper.system.terminal import say, tell

HELP = """\
usage: {command} NAME …

Downloads data sets into {folder}/, where runs look for them: {names}"""


def main() -> int:
    """The command line. Returns the exit code: 0, or 2 if there is no such data set or it can't be downloaded."""
    return exit_code_of(lambda: _download(sys.argv[1:]))


def _download(names: list[str]) -> None:
    known = published_names()
    if not names or {"-h", "--help"} & set(names):
        say(HELP.format(command=download_command(), folder=DOWNLOADS, names=", ".join(known)))
        return
    if "--version" in names:
        say(f"sweeper {__version__}")
        return
    for name in names:
        if name.startswith("-"):
            raise BadInput(f"unrecognized arguments: {name}; see {download_command()} --help")
        if name not in known:
            raise BadInput(f"{name}: is no data set to download; {nearest(name, known)}")
    check_current_folder()
    for name in names:
        loader = known[name]
        if is_present({"loader": loader, "root": None}):
            say(f"{name}: is in {DOWNLOADS}/")
            continue
        tell(f"{name}: downloading {PUBLISHED[loader].megabytes} MB into {DOWNLOADS}/")
        module, _, function = loader.rpartition(".")
        load = getattr(importlib.import_module(module), function)
        load({"name": name, "loader": loader, "root": None, "image_size": None})
        say(f"{name}: downloaded into {DOWNLOADS}/")


if __name__ == "__main__":
    sys.exit(main())
