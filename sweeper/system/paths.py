"""Paths as users give them, and as records keep them."""

import os
from pathlib import Path
from urllib.parse import quote

from sweeper.system.errors import BadInput


def given_path(path: str | os.PathLike[str], option: str = "") -> Path:
    """The path that a user gave, with `~` or `~name` at its beginning replaced by the home folder.

    Args:
        option: what the path was given for, for the error, e.g. `outputs=`.

    Raises:
        BadInput: there is no such user, or this user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        home = Path(path).parts[0]
        what = f"there is no user {home[1:]}" if home[1:] else "this user has no home folder, and HOME isn't set"
        raise BadInput(f"{option}{path}: {what}; give the whole path, or ./{path} for a folder of this name") from error


def as_argument(path: str) -> str:
    """The path as a command takes it, which would read one that begins with a dash as an option.

    >>> as_argument("-runs"), as_argument("my runs")
    ('./-runs', 'my runs')
    """
    return f"./{path}" if path.startswith("-") else path


def sqlite_url(path: Path) -> str:
    """The URL by which SQLAlchemy opens a database file, whatever characters are in its path."""
    from sqlalchemy import make_url

    escaped = quote(os.fsencode(path.resolve()))
    url = f"sqlite:///{escaped}"
    if make_url(url).database == str(path.resolve()):
        return url
    return f"sqlite:///file:{escaped}?uri=true"  # SQLAlchemy before 2.1 undoes no escapes, but SQLite does of a URI


def relative(path: str, start: Path) -> str:
    """A path relative to the folder `start`."""
    return Path(os.path.relpath(given_path(path).resolve(), start.resolve())).as_posix()
