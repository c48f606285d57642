"""Where Python looks for modules. The working folder, which may be a folder of runs by anyone, is not the first place.

`python -m` puts the working folder first in `sys.path`, so that a file `bisect.py` there would run in place of Python's
own. This package takes the folder out before it imports anything else, for its children too. Commands that call what a
configuration names put it back as the last place. Python and this package agree on `-P` and `PYTHONSAFEPATH`: with them
the working folder is never looked in.
"""

import os  # these two are loaded before Python looks in any folder
import sys

# The folder to look in last, for workers in other processes.
VARIABLE = "SWEEPER_MODULES"
_left_out: list[str] = []


def leave_out_working_folder() -> None:
    """Take out what `python -m` has put first in `sys.path`, unless sweeper itself lies there: a clone that isn't
    installed. To be called while Python still imports the package that `-m` names."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed, so Python hasn't put it there
        return
    # Until the module is found its place in sys.argv has "-m".
    program = getattr(sys, "argv", [""])[0]
    by_module = program == "-m" and not getattr(sys.flags, "safe_path", sys.flags.isolated)
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if here == home:
        return
    if by_module and sys.path[:1] == [here]:
        _left_out.append(sys.path.pop(0))
        tell_children()
    if program != "-m" and not (os.path.basename(program) + "-").startswith("sweeper-"):
        return  # a user's own program, a notebook or the like, which imports from where it likes
    given = os.environ.get("PYTHONPATH", "unset").split(os.pathsep)
    if "" in given:  # as `$X:$PYTHONPATH` leaves where there was none; Python takes it for the working folder
        named = list(filter(None, given))
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
        if here not in map(os.path.abspath, named):
            sys.path[:] = [folder for folder in sys.path if folder not in ("", here)]


def tell_children() -> None:
    """Let the processes that this one starts leave the working folder out if this one does, as a script that pip
    installs does from its start. Python 3.11 and later read the variable."""
    if not {"", os.getcwd()} & set(sys.path):
        os.environ["PYTHONSAFEPATH"] = "1"


def look_there_last() -> None:
    """Look for modules in the working folder after all others, in this process and in its workers."""
    if _left_out:
        os.environ[VARIABLE] = _left_out[0]
    elif not getattr(sys.flags, "safe_path", sys.flags.isolated):  # a script that pip installs, such as `sweeper`
        try:
            os.environ[VARIABLE] = os.getcwd()
        except OSError:  # it was removed
            return
    look_as_the_command_does()


def look_as_the_command_does() -> None:
    """In a worker: look for modules where the command that started it does."""
    folder = os.environ.get(VARIABLE)
    if folder and folder not in sys.path:
        sys.path.append(folder)


def is_installed(package: str) -> bool:
    """Whether a package is there to be imported. A mere folder of its name, such as `datasets` where the command
    starts, isn't it, though Python imports one as an empty package."""
    from importlib.util import find_spec

    found = find_spec(package)
    return found is not None and found.origin is not None


def import_installed(package: str):
    """Import a package.

    Raises:
        ModuleNotFoundError: it isn't there, or is a mere folder.
    """
    from importlib import import_module

    module = import_module(package)
    if module.__spec__ is not None and module.__spec__.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return module
