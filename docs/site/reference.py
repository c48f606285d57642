"""The pages of reference/, made of what owns their facts: conf/, the typed schema, `--help`, the tables' columns."""

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable
from pathlib import Path

from mkdocs.structure.files import File, Files
from settings import Options, escaped, read_choice, read_head

from sweeper import config as schema
from sweeper.results import COLUMNS
from sweeper.rows import FROM_CONFIG, FROM_RESULT
from sweeper.runs import METRICS
from sweeper.summary import COUNTS, FIGURES, HEAD, STATISTICS

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
TYPES = {"device": schema.DeviceConfig, "dataset": schema.DatasetConfig, "noise": schema.NoiseConfig}
RECORDS = ROOT / "docs" / "study" / "runs"  # real ones, made on a GPU

YOURS = "What your own code has to be"
# What others' code meets: names by module.
PUBLIC = {
    "In a program": {"sweeper": ("load_results", "load_model"), "sweeper.errors": ("BadInput", "RunFailed")},
    YOURS: {"sweeper.data": ("RawData",), "sweeper.tracking": ("Tracker", "TrackedRun")},
    "Optimizers": {"sweeper.optimizers": ("Lion", "Muon", "SAM", "Sophia")},
    "Models": {
        "sweeper.models": ("resnet18", "resnet20", "cnn", "mlp"),
        "sweeper.zoo": ("wide_resnet", "densenet", "mobilenet", "vit_tiny"),
    },
    "Schedules": {"sweeper.schedules": ("constant", "cosine", "step", "wsd")},
    "Statistics": {
        "sweeper.statistics": ("confidence_interval", "smallest_detectable_difference"),
        "sweeper.comparisons": ("compare_paired", "hedges_g", "holm"),
    },
}


def on_files(files: Files, config) -> Files:
    pages = {"commands": commands, "configuration": configuration, "files": columns, "python": python}
    for name, make in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def commands() -> str:
    """Each command of pyproject.toml with what it says of itself."""
    scripts = re.findall(r'^(sweeper-\w+) = "sweeper\.(\w+):main"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    parts = ["# Commands\n\nWhat each says by `--help`. In a word, as a script that pip installs, or as a module."]
    environment = {**os.environ, "COLUMNS": "90", "PYTHONPATH": str(ROOT)}
    for script, module in scripts:
        command = [sys.executable, "-m", f"sweeper.{module}", "--help"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        parts.append(f"## `python -m sweeper.{module}`, `{script}`\n\n~~~~text\n{done.stdout.strip()}\n~~~~")
    return "\n\n".join(parts)


def configuration() -> str:
    """Every group's choices, and every option with its type, default and comment."""
    plain = {keys: option for keys, option in read_choice(CONF / "config.yaml", CONF).items() if keys[0] != "hydra"}
    parts = [
        "# Configuration\n\nEvery option by the name that sets it on the command line, as in `optimizer.lr=0.1`. Made "
        "of [conf/config.yaml](../../conf/config.yaml), the files beside it, and the types in "
        "[sweeper/config.py](../../sweeper/config.py).",
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
    return "\n\n".join(filter(None, [*parts, "### `hydra/launcher=packed`", _packed()]))


def columns() -> str:
    """The columns of each table, and the fields of a run's record."""
    meanings = {
        **_comments("sweeper/execute"),
        **_comments("sweeper/record"),
        **_comments("sweeper/results"),
        **_comments("sweeper/rows"),
    }
    summary, metrics = _comments("sweeper/summary"), _comments("sweeper/runs")
    figures = [f"{figure}_{statistic}" for figure in FIGURES for statistic in STATISTICS]
    blocks = [(HEAD, ""), (COUNTS, summary["COUNTS"]), (figures, summary["STATISTICS"])]
    record = json.loads(min(RECORDS.rglob("run.json")).read_text())
    parts = ["# Files and columns\n\nAccuracies are in [0, 1], times in seconds. An empty cell is unknown."]
    parts += [
        "## `results.csv`",
        "A row a run.",
        _table(("column", "form", ""), (_result(n, meanings) for n in COLUMNS)),
    ]
    parts += ["Then every other value of the configuration by its dotted name, in the order of the alphabet."]
    parts += ["## `summary.csv`", "A row a configuration, over its seeds."]
    parts += [_table(("columns", ""), [(" ".join(f"`{name}`" for name in names), text) for names, text in blocks])]
    parts += [f"Then {summary['differing']}. Last `mixed`: {summary['mixed']}."]
    parts += ["## `metrics.csv`", "A row an epoch."]
    parts += [_table(("column", ""), [(f"`{name}`", metrics.get(name, "")) for name in METRICS])]
    parts += [
        "## `run.json`",
        "Beside what stands here: `schema_version`, `status`, `config`, which is the whole resolved ",
    ]
    parts[-1] += "configuration, and `error`, null or the reason in a line. The values are those of a run on a GPU."
    for part in ("environment", "result"):
        fields = [
            (f"`{part}.{key}`", f"`{json.dumps(value)}`", meanings.get(key, "")) for key, value in record[part].items()
        ]
        parts.append(_table(("field", "for example", ""), fields))
    return "\n\n".join(parts)


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
        return _table(("option", "default", ""), [(name, value, text) for name, _, value, text in rows])
    return _table(("option", "type", "default", ""), rows)


def _packed() -> str:
    from hydra_plugins.sweeper_packed_launcher import PackedLauncherConf

    comments = _comments("hydra_plugins/sweeper_packed_launcher")
    fields = [field for field in dataclasses.fields(PackedLauncherConf) if field.name != "_target_"]
    options = [(f"`hydra.launcher.{f.name}`", f"`{f.default}`", comments[f.name]) for f in fields]
    return _table(("option", "default", ""), options)


def _result(name: str, meanings: dict[str, str]) -> tuple[str, str, str]:
    source, kind = FROM_CONFIG.get(name, (None, FROM_RESULT.get(name)))
    meaning = f"`{source}` of the configuration" if source not in (None, name) else meanings.get(name, "")
    return f"`{name}`", kind.words if kind else "", meaning


def _comments(module: str) -> dict[str, str]:
    """The comments at lines' ends, by the first word of their line: a name, or a text in quotes."""
    found: dict[str, str] = {}
    line, word = 0, ""
    for token in tokenize.generate_tokens(io.StringIO((ROOT / f"{module}.py").read_text()).readline):
        if token.type == tokenize.COMMENT and token.start[0] == line:
            found.setdefault(word, escaped(token.string.lstrip("# ")))
        elif token.type in (tokenize.NAME, tokenize.STRING) and token.start[0] != line and token.string != "self":
            line, word = token.start[0], token.string.strip("\"'")
    return found


def _type(annotation: object) -> str:
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "").replace(" | ", " or ")


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
