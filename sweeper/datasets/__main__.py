"""`python -m sweeper.datasets NAME …`: downloads published data sets to where runs look for them."""

import importlib
import sys

from sweeper.datasets.facts import DOWNLOADS, PUBLISHED, is_present
from sweeper.system.command import exit_code_of
from sweeper.system.errors import BadInput, nearest
from sweeper.system.terminal import say, tell

HELP = """\
usage: python -m sweeper.datasets NAME …

Downloads data sets into {folder}/, where runs look for them: {names}"""


def main() -> int:
    """The command line. Returns the exit code: 0, or 2 if there is no such data set or it can't be downloaded."""
    return exit_code_of(lambda: _download(sys.argv[1:]))


def _download(names: list[str]) -> None:
    known = {loader.rpartition(".")[2]: loader for loader, data in PUBLISHED.items() if data.files}
    if not names or {"-h", "--help"} & set(names):
        say(HELP.format(folder=DOWNLOADS, names=", ".join(known)))
        return
    for name in names:
        if name not in known:
            raise BadInput(f"{name}: is no data set to download; {nearest(name, known)}")
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
