"""The pages of reference/, made of what owns their facts: conf/, the typed schema, `--help`, columns.py, docstrings."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

from columns import columns, comments, table
from mkdocs.structure.files import File, Files
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


def on_files(files: Files, config) -> Files:
    pages = {"commands": commands, "configuration": configuration, "files": columns, "python": python}
    for name, make in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def commands() -> str:
    """Each command of pyproject.toml with what it says of itself."""
    pattern = r'^(sweeper-\w+) = "sweeper\.(\w+)(?:\.__main__)?:main"'
    scripts = re.findall(pattern, (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    parts = [
        "# Commands\n\nWhat each says by `--help`. As a word after `sweeper`, as a script of its own, or as a module."
    ]
    environment = {**os.environ, "COLUMNS": "90", "PYTHONPATH": str(ROOT)}
    for script, module in scripts:
        command = [sys.executable, "-m", f"sweeper.{module}", "--help"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        parts.append(
            f"## `sweeper {module}`, `{script}`, `python -m sweeper.{module}`\n\n~~~~text\n{done.stdout.strip()}\n~~~~"
        )
    return "\n\n".join(parts)


def configuration() -> str:
    """Every group's choices, and every option with its type, default and comment."""
    plain = {keys: option for keys, option in read_choice(CONF / "config.yaml", CONF).items() if keys[0] != "hydra"}
    parts = [
        "# Configuration\n\nEvery option by the name that sets it on the command line, as in `optimizer.lr=0.1`. Made "
        "of [conf/config.yaml](../../conf/config.yaml), the files beside it, and the types in "
        "[sweeper/config/schema.py](../../sweeper/config/schema.py).",
        "## Options of a run",
        _options(plain, "", schema.Config),
    ]
    primary = (CONF / "config.yaml").read_text()
    for group, default in re.findall(r"^  - (?:override )?([a-z]+|hydra/launcher): (\w+)", primary, re.MULTILINE):
        parts += [f"## `{group}`", f"Default: `{default}`." if default != "null" else ""]
        prefix = {"experiment": "", "hydra/launcher": "hydra.launcher."}.get(group, f"{group}.")
        for path in sorted((CONF / group).glob("*.yaml")):
            parts += [f"### `{group}={path.stem}`", read_head(path)]
            parts.append(_options(read_choice(path, CONF / group), prefix, TYPES.get(group)))
    parts += ["### `hydra/launcher=packed`", _packed(), "## `arms`", "None by default: [arms](../how-to/arms.md)."]
    for path in sorted((CONF / "arms").glob("*.yaml")):
        arms = [(f"`{name}`", f"`{words}`") for (name,), (words, _) in read_choice(path, CONF / "arms").items()]
        parts += [f"### `arms={path.stem}`", read_head(path), table(("arm", "overrides"), arms)]
    parts += ["## `against`", "For `sweeper.decide`: [a field](../decide.md#against-a-published-field)."]
    for path in sorted((CONF / "against").glob("*.yaml")):
        parts += [f"### `against={path.stem}`", read_head(path)]
    return "\n\n".join(filter(None, parts))


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
