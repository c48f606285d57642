"""Which code of a user's own a run calls: each module of it, with a hash of its source. Nothing is imported for it.

Of sweeper and of installed packages the record has the versions; a file of the user's own may change any moment.
"""

import ast
import hashlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from sweeper.runs.identity import is_identity
from sweeper.runs.record import EARLIER
from sweeper.system.files import PACKAGE, read_file
from sweeper.system.limits import SOURCE_BYTES
from sweeper.system.text import printable

CODE = "code"  # in a record's environment: the hash of each module by its name
_INSTALLED = {"site-packages", "dist-packages"}
_DIGITS = 12
_MOST = 100  # modules


class _Module(NamedTuple):
    name: str
    file: Path


def own_code(config: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of the modules that a run's configuration names by `_target_` or `dataset.loader`, and of those that
    these import, by name. Files that are installed, or sweeper's, aren't the user's own.

    A process answers with what it found first: it runs the modules that it has imported, whatever is edited later.
    """
    found: dict[str, str] = {}
    for target in _targets({key: value for key, value in config.items() if is_identity(key)}):
        found |= _code_of(target)
    return dict(sorted(found.items()))


def recorded_code(facts: Mapping[str, Any]) -> dict[str, str]:
    """The hashes in a record's environment or in a checkpoint's facts; none if there are none in form."""
    code = facts.get(CODE)
    if not isinstance(code, dict) or len(code) > _MOST:
        return {}
    return {printable(str(k))[:200]: printable(v)[:_DIGITS] for k, v in code.items() if isinstance(v, str)}


def code_of_parts(environment: Mapping[str, Any]) -> dict[str, list[str]]:
    """The hashes of each module in a record's environment, in the order in which the run's parts were trained by them:
    several where it went on with other code than it began with."""
    earlier = environment.get(EARLIER)
    found: dict[str, list[str]] = {}
    for part in (*(earlier if isinstance(earlier, list) else []), environment):
        for module, digest in recorded_code(part).items() if isinstance(part, dict) else ():
            found.setdefault(module, []).append(digest)
    return {module: list(dict.fromkeys(digests)) for module, digests in found.items()}


def changed_modules(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules whose source is another; those of which one side knows nothing are none."""
    return sorted(name for name in then.keys() & now.keys() if then[name] != now[name])


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("_target_", "loader") and isinstance(value, str):
                yield value
            else:
                yield from _targets(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _targets(value)


@cache
def _code_of(target: str) -> dict[str, str]:
    found: dict[str, str] = {}
    pending = [target]
    while pending and len(found) < _MOST:
        module = _find(pending.pop())
        if module is None or module.name in found:
            continue
        try:
            source = read_file(module.file, SOURCE_BYTES).replace(b"\r\n", b"\n")
        except OSError:
            continue
        found[module.name] = hashlib.sha256(source).hexdigest()[:_DIGITS]
        pending += _imports(source, module)
    return found


def _find(path: str) -> _Module | None:
    """The user's own module that a dotted path begins with; None if it begins with another one, or with none."""
    name, *rest = path.split(".")
    if name in sys.stdlib_module_names or name == PACKAGE.name:
        return None
    try:
        spec = find_spec(name)  # of a name without a dot, so that no package is imported
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    file, folders = spec.origin, list(spec.submodule_search_locations or [])
    for part in rest:
        inside = [Path(folder) / part for folder in folders]
        package = next((folder for folder in inside if folder.is_dir()), None)
        module = next((m for m in (folder.with_name(f"{part}.py") for folder in inside) if m.is_file()), None)
        if package is not None and (module is None or (package / "__init__.py").is_file()):
            file, folders = str(package / "__init__.py"), [str(package)]
        elif module is not None:
            file, folders = str(module), []
        else:
            break  # what the module defines
        name += f".{part}"
    return _Module(name, Path(file)) if file is not None and _is_own(Path(file)) else None


def _is_own(file: Path) -> bool:
    return file.suffix == ".py" and file.is_file() and not _INSTALLED & {*file.parts} and PACKAGE not in file.parents


def _imports(source: bytes, module: _Module) -> Iterator[str]:
    """The dotted paths that a module imports, anywhere in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python says them where it imports the module
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    parts = module.name.split(".")
    package = parts if module.file.name == "__init__.py" else parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = package[: len(package) - node.level + 1] if node.level else []
            before = ".".join([*home, *([node.module] if node.module else [])])
            yield from (f"{before}.{alias.name}" for alias in node.names)
