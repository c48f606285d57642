"""Files of the repository outside the site's pages, shown as pages of it where one links to them.

So a link such as `../sweeper/engine/devices.py` works both in the repository and in the site, which needs no network
for it.
A link to what isn't there stays as it is, and MkDocs tells of it.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "README.md"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")  # the path of a link or picture, not an address
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "bash", ".toml": "toml", ".csv": "text"}

_origins: dict[str, Path] = {}  # a made page's name in the site: the file that it shows


def on_files(files: Files, config) -> Files:
    _origins.clear()
    pages = [HOME, *(ROOT / "docs" / file.src_uri for file in files.documentation_pages())]
    while pages:
        origin = pages.pop(0)
        name = _name(origin)
        if files.get_file_from_path(name) is None:
            # Only what the navigation names is looked for there; the others are found by their links.
            inclusion = InclusionLevel.UNDEFINED if origin.suffix == ".md" else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, name, content=_shown(origin), inclusion=inclusion))
            _origins[name] = origin
        if origin.suffix == ".md":
            text = origin.read_text() if origin.exists() else files.get_file_from_path(name).content_string
            pages += [target for target in _targets(text, origin) if _is_outside(target, files)]
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    name = page.file.src_uri
    origin = _origins.get(name, ROOT / "docs" / name)
    if origin.suffix != ".md":
        return markdown

    def moved(link: re.Match) -> str:
        target = _resolved(origin, link[1])
        if not target.is_file():
            return link[1]
        return os.path.relpath(_name(target), os.path.dirname(name) or ".")

    return LINK.sub(moved, markdown)


def _targets(text: str, origin: Path) -> Iterator[Path]:
    for path in LINK.findall(text):
        if (target := _resolved(origin, path)).is_file() and ROOT in target.parents:
            yield target


def _resolved(origin: Path, path: str) -> Path:
    return Path(os.path.normpath(origin.parent / path))


def _is_outside(target: Path, files: Files) -> bool:
    file = files.get_file_from_path(_name(target))
    return file is None or file.inclusion.is_excluded()


def _name(path: Path) -> str:
    """Of the page or file that shows this one, in the site."""
    if path == HOME:
        return "index.md"
    if (ROOT / "docs") in path.parents:
        return path.relative_to(ROOT / "docs").as_posix()
    name = path.relative_to(ROOT).as_posix()
    return f"repository/{name}" if path.suffix == ".md" else f"repository/{name}.md"


def _shown(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    title = f"---\nsearch: {{exclude: true}}\n---\n\n# `{path.relative_to(ROOT).as_posix()}`\n\n"
    if path.suffix == ".ipynb":
        cells = [("".join(cell["source"]), cell["cell_type"]) for cell in json.loads(text)["cells"]]
        return title + "\n\n".join(_fenced(cell, "python") if kind == "code" else cell for cell, kind in cells)
    return title + _fenced(text, LANGUAGES.get(path.suffix, "text"))


def _fenced(text: str, language: str) -> str:
    return f"~~~~{{ .{language} }}\n{text.rstrip()}\n~~~~\n"
