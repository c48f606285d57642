"""The page of the tables' columns and of a run's record, made of the code that writes them and its comments."""

import io
import json
import tokenize
from collections.abc import Iterable
from pathlib import Path

from settings import escaped

from sweeper.aggregate.summary import COUNTS, FIGURES, HEAD, STATISTICS
from sweeper.runs.metrics import FROM_RESULT, METRICS
from sweeper.runs.results import COLUMNS
from sweeper.runs.rows import FROM_CONFIG

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "study" / "cifar10" / "runs"  # real ones, made on a GPU


def columns() -> str:
    """The columns of each table, and the fields of a run's record."""
    meanings = {
        **comments("sweeper/engine/loop"),
        **comments("sweeper/engine/numerics"),
        **comments("sweeper/train/attempt"),
        **comments("sweeper/train/record"),
        **comments("sweeper/runs/results"),
        **comments("sweeper/runs/metrics"),
        **comments("sweeper/runs/rows"),
    }
    summary, metrics = comments("sweeper/aggregate/summary"), comments("sweeper/runs/metrics")
    figures = [f"{figure}_{statistic}" for figure in FIGURES for statistic in STATISTICS]
    blocks = [(HEAD, ""), (COUNTS, summary["COUNTS"]), (figures, summary["STATISTICS"])]
    record = json.loads(min(RECORDS.rglob("run.json")).read_text(encoding="utf-8"))
    parts = ["# Files and columns\n\nAccuracies are in [0, 1], times in seconds. An empty cell is unknown."]
    parts += [
        "## `results.csv`",
        "A row a run.",
        table(("column", "form", ""), (_result(n, meanings) for n in COLUMNS)),
    ]
    parts += ["Then every other value of the configuration by its dotted name, in the order of the alphabet."]
    parts[-1] += " Then, where a run has them, `energy_kwh` and `cost`, as in its record."
    parts[-1] += " Last `arm`, where a sweep had arms."
    parts += ["## `summary.csv`", "A row a configuration, over its seeds."]
    parts += [table(("columns", ""), [(" ".join(f"`{name}`" for name in names), text) for names, text in blocks])]
    parts += [f"Then {summary['differing']}. Then `mixed`: {summary['mixed']}. Last `arm`, where a sweep had arms."]
    parts += ["## `metrics.csv`", "A row an epoch."]
    parts += [table(("column", ""), [(f"`{name}`", metrics.get(name, "")) for name in METRICS])]
    parts += [
        "## `run.json`",
        "Beside what stands here: `schema_version`, `status`, `config`, which is the whole resolved ",
    ]
    parts[-1] += "configuration, and `error`, null or the reason in a line. The values are those of a run on a GPU."
    for part in ("environment", "result"):
        fields = [
            (f"`{part}.{key}`", f"`{json.dumps(value)}`", meanings.get(key, "")) for key, value in record[part].items()
        ]
        parts.append(table(("field", "for example", ""), fields))
    return "\n\n".join(parts)


def _result(name: str, meanings: dict[str, str]) -> tuple[str, str, str]:
    source, kind = FROM_CONFIG.get(name, (None, FROM_RESULT.get(name)))
    meaning = f"`{source}` of the configuration" if source not in (None, name) else meanings.get(name, "")
    return f"`{name}`", kind.words if kind else "", meaning


def comments(module: str) -> dict[str, str]:
    """The comments at lines' ends, by the first name and by the first text in quotes of their line."""
    found: dict[str, str] = {}
    line, words = 0, {}
    for token in tokenize.generate_tokens(io.StringIO((ROOT / f"{module}.py").read_text(encoding="utf-8")).readline):
        if token.start[0] != line:
            line, words = token.start[0], {}
        if token.type == tokenize.COMMENT:
            found |= {word: escaped(token.string.lstrip("# ")) for word in words.values() if word not in found}
        elif token.type in (tokenize.NAME, tokenize.STRING) and token.string != "self":
            words.setdefault(token.type, token.string.strip("\"'"))
    return found


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
