"""What the site is built of, in build/: the pages of docs/, those that reference.py makes, and zensical.toml.

A file of the repository outside docs/ is a page too where one links to it. So a link such as
`../sweeper/engine/devices.py` works both in the repository and in the site, which needs no network for it. What
Zensical doesn't look for ends this: a link to a file that isn't there, a page that the navigation lacks, and one that
is only in the navigation.
"""

import html
import json
import os
import re
import shutil
import sys
from pathlib import Path

from reference import reference

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SITE = DOCS / "site"
BUILD = ROOT / "build"
HOME = ROOT / "README.md"
# Not pages: what makes the site and the study's tables, and runs.
RUNS = ("runs", "tuning/runs", "again", "published")
LEFT_OUT = [SITE, DOCS / "reproduction" / "runs", *(DOCS / "study" / "cifar10" / part for part in RUNS)]
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")  # the path of a link or picture, not an address
PAGE = re.compile(r'"([^"]+\.md)"')  # of the navigation
ROW = re.compile(r"^\|.*\|$", re.MULTILINE)  # of a table
CODE = re.compile(r"(?<!`)`([^`|]+)`(?!`)")
OPTION = re.compile(r"(?<!\S)\[*--?[\w-]+\]*")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "bash", ".toml": "toml", ".csv": "text"}


def lay() -> None:
    """Writes build/pages/ and build/zensical.toml anew.

    Raises:
        SystemExit: a link or the navigation names a page or file that isn't there, or the navigation lacks one.
    """
    config = SITE / "zensical.toml"
    made = {DOCS / name: text for name, text in reference().items()}
    own = [path for path in DOCS.rglob("*") if path.is_file() and path.suffix != ".py" and not _is_left_out(path)]
    origins = linked([HOME, *own, *made], made)

    named = set(PAGE.findall(config.read_text(encoding="utf-8")))
    wanted = {_name(path) for path in (HOME, *own, *made) if path.suffix == ".md"}
    wrong = [f"{page}: the navigation of zensical.toml lacks it" for page in sorted(wanted - named)]
    wrong += [f"{page}: in the navigation of zensical.toml, but not there" for page in sorted(named - origins.keys())]

    pages = BUILD / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    for name, origin in origins.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        if origin.suffix == ".md":
            text = _text(origin, made)
            missing = [path for path in LINK.findall(text) if _name(_resolved(origin, path)) not in origins]
            wrong += [f"{origin.relative_to(ROOT)}: its link {path} leads to no file" for path in missing]
            text = _with_whole_options(_moved(text, origin, name))
            (pages / name).write_text(text, encoding="utf-8")
        elif name.endswith(".md"):
            (pages / name).write_text(_shown(origin), encoding="utf-8")
        else:
            shutil.copyfile(origin, pages / name)
    if wrong:
        sys.exit("\n".join(wrong))
    shutil.copytree(SITE / "theme", pages, dirs_exist_ok=True)
    shutil.copyfile(config, BUILD / config.name)


def linked(paths: list[Path], made: dict[Path, str]) -> dict[str, Path]:
    """These and the files outside docs/ that they link to, by their names in the site."""
    origins: dict[str, Path] = {}
    while paths:
        origin = paths.pop(0)
        if _name(origin) in origins:
            continue
        origins[_name(origin)] = origin
        if origin.suffix == ".md":
            targets = [_resolved(origin, path) for path in LINK.findall(_text(origin, made))]
            paths += [path for path in targets if path.is_file() and ROOT in path.parents]
    return origins


def _text(page: Path, made: dict[Path, str]) -> str:
    return made[page] if page in made else page.read_text(encoding="utf-8")


def _resolved(origin: Path, path: str) -> Path:
    return Path(os.path.normpath(origin.parent / path))


def _is_left_out(path: Path) -> bool:
    return any(folder in path.parents for folder in LEFT_OUT)


def _moved(text: str, origin: Path, name: str) -> str:
    """A page with its links led from where the site has it."""
    folder = os.path.dirname(name) or "."
    return LINK.sub(lambda link: os.path.relpath(_name(_resolved(origin, link[1])), folder), text)


def _with_whole_options(text: str) -> str:
    """A page whose tables break no line within an option's name: a browser may after each hyphen."""

    def marked(code: re.Match[str]) -> str:
        if not OPTION.search(code[1]) or " " not in code[1]:
            return code[0]
        words = OPTION.sub(r"<span class=option>\g<0></span>", html.escape(code[1], quote=False))
        return f"<code>{words}</code>"

    return ROW.sub(lambda row: CODE.sub(marked, row[0]), text)


def _name(path: Path) -> str:
    """Of the page or file that shows this one, in the site."""
    if path == HOME:
        return "index.md"
    if DOCS in path.parents and not (path.suffix == ".py" or _is_left_out(path)):
        return path.relative_to(DOCS).as_posix()
    name = Path(os.path.relpath(path, ROOT)).as_posix()
    return f"repository/{name}" if path.suffix == ".md" else f"repository/{name}.md"


def _shown(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    title = f"---\nsearch: {{exclude: true}}\n---\n\n# `{path.relative_to(ROOT).as_posix()}`\n\n"
    if path.suffix == ".ipynb":
        cells = [("".join(cell["source"]), cell["cell_type"]) for cell in json.loads(text)["cells"]]
        return title + "\n\n".join(_fenced(cell, "python") if kind == "code" else cell for cell, kind in cells)
    return title + _fenced(text, LANGUAGES.get(path.suffix, "text"))


def _fenced(text: str, language: str) -> str:
    return f"~~~~{{ .{language} }}\n{text.rstrip()}\n~~~~\n"


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit(f"make docs: Zensical needs Python 3.11 or later, and this is {sys.version.split()[0]}")
    lay()
