"""Keeps the paths of the machine that trained out of a page, which may be published."""

import os
import re
from collections.abc import Iterable

from sweeper.config.grammar import value_text

# What stands for a path in a command, by option; `PATH` does for that of any other.
STANDS_FOR = {"dataset.root": "FOLDER", "noise.file": "FILE"}
PATH = "PATH"
_NOTES = {
    f"dataset.root={STANDS_FOR['dataset.root']}": "FOLDER stands for the folder of the data",
    f"noise.file={STANDS_FOR['noise.file']}": "FILE for the file of the labels",
    f"={PATH}": "PATH for any other path",
}
# All but the last part of an absolute path, in quotes or without spaces, of one that leads up, and of a local URL.
_PART = r"[^\s/:;,'\"()\[\]]+/"
_FOLDERS = re.compile(
    rf"""(?<=['"])(?:~\w*)?/[^'"]+/(?=[^'"/]*['"])"""
    rf"""|(?:(?<![\w.~:/…])/|(?<=sqlite:)/+|(?<=file:)/+)(?:{_PART})+"""
    rf"""|(?<![\w/])(?:~\w*/|(?:\.\./)+)(?:{_PART})*"""
)
_NO_PATHS = ("tag", "dataset.name")


def without_folders(text: str) -> str:
    """A text with the last part alone of each path that lies outside of the current folder.

    >>> without_folders("'/home/my me/a.png' isn't an image; 3 images/s, https://a.org/b/c")
    "'…/a.png' isn't an image; 3 images/s, https://a.org/b/c"
    """
    return _FOLDERS.sub("…/", text) if "/" in text else text


def without_path(word: str) -> str:
    """An override with a name in place of a path that lies outside of the current folder; one inside is relative.

    >>> without_path("dataset.root=/home/me/images"), without_path("dataset.root=images")
    ('dataset.root=FOLDER', 'dataset.root=images')
    """
    name, _, value = word.partition("=")
    if (key := name.lstrip("+~")) in _NO_PATHS or not set(value) & set("/~."):
        return word
    path = os.path.expanduser(value.strip("'"))
    if key not in STANDS_FOR:
        return f"{name}={PATH}" if path.startswith("/") or without_folders(path) != path else word
    inside = os.path.relpath(path)
    if inside.split(os.sep)[0] == os.pardir:
        return f"{name}={STANDS_FOR[key]}"
    return f"{name}={value_text(inside)}" if os.path.isabs(path) else word


def note_on(commands: Iterable[str]) -> str:
    """What the names in commands stand for; "" without any.

    >>> note_on(["python -m sweeper.train dataset=folder dataset.root=FOLDER"])
    'FOLDER stands for the folder of the data.'
    """
    words = {word for command in commands for word in command.split(" ")}
    found = [note for end, note in _NOTES.items() if any(word.endswith(end) for word in words)]
    said = ", ".join(found)
    return f"{said if 'stands' in said else said.replace(' ', ' stands ', 1)}." if found else ""
