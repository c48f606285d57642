"""The pages of reference/, made of what owns their facts: conf/, the typed schema, `--help`, columns.py, docstrings."""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from columns import columns, comments, table
from settings import Options, read_choice, read_head

from sweeper.config import schema

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
TYPES = {"device": schema.DeviceConfig, "dataset": schema.DatasetConfig, "noise": schema.NoiseConfig}

YOURS = "What your own code has to be"
# What others' code meets: names by module.
PUBLIC = {
    "In a program": {
        "sweeper": ("load_results", "load_metrics", "load_summary", "compare", "load_model"),
        "sweeper.aggregate.findings": ("Findings",),
        "sweeper.system.errors": ("BadInput", "RunFailed"),
    },
    YOURS: {"sweeper.datasets.raw": ("RawData",), "sweeper.train.trackers.tracking": ("Tracker", "TrackedRun")},
    "Optimizers": {"sweeper.optimizers": ("Lion", "Muon", "SAM", "Sophia")},
    "Models": {
        "sweeper.models": ("resnet18", "resnet20", "cnn", "cnn1d", "mlp"),
        "sweeper.models.zoo": ("wide_resnet", "densenet", "mobilenet", "vit_tiny"),
    },
    "Schedules": {"sweeper.schedules": ("constant", "cosine", "step", "wsd")},
    "Statistics": {
        "sweeper.aggregate.statistics": ("confidence_interval",),
        "sweeper.aggregate.comparisons": ("compare", "Comparison", "Difference", "detectable_difference"),
        "sweeper.aggregate.order": ("Order",),
        "sweeper.aggregate.conclusions": ("answer", "describe_comparison", "describe_difference"),
    },
}


def reference() -> dict[str, str]:
    """The pages by their names in the site."""
    pages = {"commands": commands(), "files": columns(), "python": python(), **configuration()}
    return {f"reference/{name}.md": text for name, text in pages.items()}


def commands() -> str:
    """Each command of pyproject.toml with what it says of itself."""
    pattern = r'^(sweeper-\w+) = "sweeper\.(\w+)(?:\.__main__)?:main"'
    scripts = re.findall(pattern, (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    parts = [
        "# Commands\n\nWhat each says by `--help`. As a word after `sweeper`, as a script of its own, or as a module."
    ]
    environment = {**os.environ, "COLUMNS": "90", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    for script, module in scripts:
        command = [sys.executable, "-m", f"sweeper.{module}", "--help"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True)
        parts.append(
            f"## `sweeper {module}`, `{script}`, `python -m sweeper.{module}`\n\n~~~~text\n{done.stdout.strip()}\n~~~~"
        )
    return "\n\n".join(parts)


def configuration() -> dict[str, str]:
    """Every option with its type, default and comment: a page for those of a run, and one for each group's choices."""
    plain = {keys: option for keys, option in read_choice(CONF / "config.yaml", CONF).items() if keys[0] != "hydra"}
    groups = {group.removeprefix("hydra/"): (group, page) for group, page in _groups()}
    parts = [
        "# Configuration\n\nEvery option by the name that sets it on the command line, as in `optimizer.lr=0.1`. Made "
        "of [conf/config.yaml](../../conf/config.yaml), the files beside it, and the types in "
        "[sweeper/config/schema.py](../../sweeper/config/schema.py).",
        "## Groups",
        "\n".join(f"- [`{group}`](configuration/{name}.md)" for name, (group, _) in groups.items()),
        "## Options of a run",
        _options(plain, "", schema.Config),
    ]
    pages = {f"configuration/{name}": f"# `{group}`\n\n{page}" for name, (group, page) in groups.items()}
    return {"configuration": "\n\n".join(parts), **pages}


def _groups() -> Iterator[tuple[str, str]]:
    """Each group, with what its page says of its choices."""
    primary = (CONF / "config.yaml").read_text(encoding="utf-8")
    for group, default in re.findall(r"^  - (?:override )?([a-z]+|hydra/launcher): (\w+)", primary, re.MULTILINE):
        prefix = {"experiment": "", "hydra/launcher": "hydra.launcher."}.get(group, f"{group}.")

        def table_of(path: Path, group: str = group, prefix: str = prefix) -> str:
            return _options(read_choice(path, CONF / group), prefix, TYPES.get(group))

        parts = [f"Default: `{default}`." if default != "null" else "", _choices(group, table_of)]
        yield (
            group,
            "\n\n".join(filter(None, [*parts, "## `hydra/launcher=packed`\n\n" + _packed() if "/" in group else ""])),
        )
    yield "arms", "None by default: [arms](../../how-to/arms.md).\n\n" + _choices("arms", _arms)
    yield (
        "against",
        (
            "For `sweeper.decide`: [a field](../../decide.md#against-a-published-field).\n\n"
            + _choices("against", lambda path: "")
        ),
    )


def _choices(group: str, table_of: Callable[[Path], str]) -> str:
    parts = []
    for path in sorted((CONF / group).glob("*.yaml")):
        parts += [f"## `{group}={path.stem}`", read_head(path), table_of(path)]
    return "\n\n".join(filter(None, parts))


def _arms(path: Path) -> str:
    arms = read_choice(path, CONF / "arms").items()
    return table(("arm", "overrides"), [(f"`{name}`", f"`{words}`") for (name,), (words, _) in arms])


def python() -> str:
    parts = ["# Python\n\nFrom the docstrings."]
    for title, modules in PUBLIC.items():
        parts.append(f"## {title}")
        with_source = "\n    options: {show_source: true}" if title == YOURS else ""  # its fields are told by comments
        parts += [f"::: {module}.{name}{with_source}" for module, names in modules.items() for name in names]
    return "\n\n".join(parts)


def _options(options: Options, prefix: str, typed: type | None) -> str:
    types = {field.name: _type(field.type) for field in dataclasses.fields(typed)} if typed else {}
    rows = [
        (f"`{prefix}{'.'.join(keys)}`", types.get(keys[0], ""), f"`{value}`", text)
        for keys, (value, text) in options.items()
    ]
    if not types:
        return table(("option", "default", ""), [(name, value, text) for name, _, value, text in rows])
    return table(("option", "type", "default", ""), rows)


def _packed() -> str:
    from hydra_plugins.sweeper_packed_launcher import PackedLauncherConf

    beside = comments("hydra_plugins/sweeper_packed_launcher")
    fields = [field for field in dataclasses.fields(PackedLauncherConf) if field.name != "_target_"]
    options = [(f"`hydra.launcher.{f.name}`", f"`{f.default}`", beside[f.name]) for f in fields]
    return table(("option", "default", ""), options)


def _type(annotation: object) -> str:
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "").replace(" | ", " or ")
