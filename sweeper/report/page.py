"""Builds `report.html`, a single file that needs no other files and no network."""

import base64
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sweeper import __version__
from sweeper.aggregate.labels import kind_of
from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.robustness import find_robustness
from sweeper.aggregate.tasks import Task, task_title
from sweeper.report.answers import Card, answer_card
from sweeper.report.charts import looks_of, profile_tables
from sweeper.report.curve_data import curve_data, share_places
from sweeper.report.curves import MOST_EPOCHS, Curve
from sweeper.report.decision import ShownDecision
from sweeper.report.looks import script_looks, style_sheet
from sweeper.report.packed_tables import pack_tables, take_commands
from sweeper.report.places import note_on
from sweeper.report.robustness import losses_table, robustness_card
from sweeper.report.sections import chart_sections
from sweeper.report.tables import (
    across_table,
    bad_table,
    differences_table,
    profile_table,
    ranking_table,
    runs_table,
    speed_table,
)
from sweeper.runs.copies import count
from sweeper.runs.results import Results, Run
from sweeper.runs.status import TOLD
from sweeper.system.files import PACKAGE
from sweeper.system.text import counted, duration, few, listed

FOLDER = PACKAGE / "report" / "template"

SECTIONS = {
    "verdict": "Answer",
    "decision": "Decision",
    "ranking": "Ranking",
    "robustness": "Robustness",
    "curves": "Learning curves",
    "profile": "Steps to target",
    "across": "All tasks",
    "speed": "Speed",
    "bad": "Failures",
    "differences": "Differences",
    "runs": "Runs",
}
NOT_SHOWN = {
    "ranking": "a ranking (no run that could be read)",
    "robustness": "what wrong labels cost (no two optimizers completed a seed with right and with wrong labels)",
    "curves": "learning curves (no epoch was finished)",
    "profile": "steps to a target (no target_accuracy that all runs of a task share)",
    "across": "statistics over tasks (one task, or no two optimizers on all)",
    "speed": "speed (no finished run had its device alone)",
}


def build_page(
    results: Results,
    tasks: Sequence[Task],
    curves: dict[str, Curve],
    commands: dict[str, str],
    margin: float | None = None,
    decisions: Sequence[ShownDecision] = (),
    latest: Sequence[Task] = (),
    dated: bool = True,
) -> bytes:
    """The page in UTF-8.

    Args:
        tasks: the tasks of the results' runs, from `group_tasks`.
        curves, commands: by the run's path, for all readable runs.
        margin: of equivalence, as a share.
        decisions: of `sweeper.decide`, in these folders.
        latest: the tasks of the sweep that has just ended: their cards come first, and say so beside others.
        dated: whether it says when it was made; without that the same runs give the same bytes.
    """
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup

    runs = results.runs
    across, across_note = across_table(tasks)
    speed, shared = speed_table(tasks)
    profile = profile_tables(tasks)
    of_optimizer = looks_of(tasks)
    charts_of = chart_sections(tasks, curves)
    charts = {section.name: section.charts for section in charts_of} | {
        "profile": [profile["chart"]] if profile else []
    }
    drawn = [task for task in curve_data(tasks, curves) if task["settings"]]
    every_run = runs_table(runs, commands)
    others = [task for task in tasks if not any(task is one for one in latest)]
    robust = find_robustness(tasks)
    cards: list[Card] = []
    for of_sweep in (latest, others):
        cards += [answer_card(task, of_optimizer, margin) for task in of_sweep]
        cards += [robustness_card(one, margin) for one in robust if any(task is one.noisy for task in of_sweep)]
    of_latest = len(latest) + sum(any(task is one.noisy for task in latest) for one in robust)
    rankings = [(task.label, ranking_table(task)) for task in tasks]
    bad = bad_table(runs)
    taken = take_commands(every_run)  # before the tables are packed
    large = {"runs-table": every_run, "bad-table": bad}
    large |= {f"pairs-{k}": card.pairs for k, card in enumerate(cards)}
    large |= {f"ranking-{k}": ranking for k, (_, ranking) in enumerate(rankings)}
    data: dict[str, Any] = {
        "curves": share_places(drawn),
        "charts": _short(charts),
        "tables": pack_tables(large),
        "commands": taken,
        **script_looks(),
    }
    longest = max((len(curve["epoch"]) for curve in curves.values() if curve), default=0)
    view: dict[str, Any] = {
        "cards": cards,
        "of_latest": of_latest if others else 0,
        "rankings": rankings,
        "robustness": [(one.noisy.label, losses_table(one)) for one in robust],
        "packed": bool(data["tables"]["of"]),
        "decisions": decisions,
        "shared_colors": len({look.hue for look in of_optimizer.values()}) < len(of_optimizer),
        "looks": script_looks(),
        "limits": describe_limits(tasks, runs, results.left_out),
        "has_curves": bool(drawn),
        "means_only": any("mean" in setting for task in drawn for setting in task["settings"]),
        "no_others": not any(
            run["status"] != "diverged" for task in drawn for s in task["settings"] for run in s["runs"]
        ),
        "left_out": sum(task["left_out"] for task in drawn),
        "thinned": _ordinal(math.ceil(longest / MOST_EPOCHS)) if longest > MOST_EPOCHS else "",
        "most_epochs": MOST_EPOCHS,
        "chart_sections": charts_of,
        "profile": profile_table(profile) if profile else None,
        "profile_left_out": ", ".join(profile["left_out"]) if profile else "",
        "across": across,
        "across_note": across_note,
        "speed": speed,
        "shared_runs": shared,
        "bad": bad,
        "differences": differences_table(runs),
        "runs": every_run,
        "places": note_on(commands.values()),
    }
    there = {name: view.get(name) for name in ("across", "speed", "bad", "differences", "runs")}
    shown = {
        **{name: bool(table.rows) for name, table in there.items() if table is not None},
        **{name: bool(charts[name]) for name in charts},
        "curves": view["has_curves"],
        "verdict": True,
        "decision": bool(decisions),
        "ranking": bool(tasks),
        "robustness": bool(robust),
    }
    titles = _with_charts(SECTIONS, {section.name: section.short for section in charts_of})
    absent = _with_charts(NOT_SHOWN, {section.name: section.absent for section in charts_of})
    script = _read("charts.js") + _read("report.js")
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True)
    page = environment.get_template("report.html").render(
        **view,
        **_head(results, tasks),
        made=f"Made by sweeper {__version__}{time.strftime(', %Y-%m-%d %H:%M UTC', time.gmtime()) * dated}.",
        sections=[(name, title) for name, title in titles.items() if shown[name]],
        not_shown="; ".join(words for name, words in absent.items() if not shown[name]),
        css=Markup(style_sheet() + _read("report.css")),
        js=Markup(script),
        js_hash=hash_source(script),
        data=Markup(to_script_json(data)),
    )
    return page.encode()


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _with_charts(words: dict[str, str], of_charts: dict[str, str]) -> dict[str, str]:
    """The words of all sections in the page's order: those of charts follow the curves."""
    before = list(words)[: list(words).index("curves") + 1]
    return {**{name: words[name] for name in before}, **of_charts, **words}


def _short(data: Any) -> Any:
    """The same with five digits of each number, more than a screen shows."""
    if isinstance(data, dict):
        return {key: _short(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_short(value) for value in data]
    return float(f"{data:.5g}") if isinstance(data, float) else data


def to_script_json(data: Any) -> str:
    """JSON for a script element; names in it can't end the element or begin another."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def hash_source(script: str) -> str:
    """How the page's content security policy names its script: by its content, so no other one runs, whatever the names
    of runs hold. A random nonce would do so too, but change the page each time it is made."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _head(results: Results, tasks: Sequence[Task]) -> dict[str, Any]:
    runs = results.runs
    counts = Counter(run.status for run in runs)
    settings = [setting for task in tasks for setting in task.settings]
    optimizers = sorted({setting.optimizer for setting in settings if not setting.arm})
    arms = sorted({setting.optimizer for setting in settings if setting.arm})
    seeds = sorted({run.values["seed"] for run in runs if run.values.get("seed") is not None})
    started = sorted(run.started for run in runs if run.started)
    devices = sorted({run.device_name for run in runs if run.device_name})
    copies = count(results.left_out).copies
    whom = [counted(len(optimizers), "optimizer")] * bool(optimizers or not arms)
    whom += [counted(len(arms), "arm")] * bool(arms)
    facts = [
        ("optimizers", ", ".join(optimizers)),
        ("arms", ", ".join(arms)),
        ("tasks", "; ".join(task_title(task) for task in tasks)),
        ("seeds", few([str(seed) for seed in seeds])),
        ("devices", ", ".join(devices)),
        ("device time", _device_time(runs)),
        ("begun", _period(started)),
        ("copies", _copies_words(copies, len(runs))),
    ]
    return {
        "title": _title([*optimizers, *arms], kind_of(setting.arm for setting in settings), tasks),
        "lead": f"{counted(len(runs), 'run')} of {listed(whom)} on {counted(len(tasks), 'task')}",
        "counts": [(name, counts[name]) for name in TOLD if counts[name]],
        "facts": [(name, text) for name, text in facts if text],
    }


def _device_time(runs: Sequence[Run]) -> str:
    """The device time of all runs together, and their training if that is more; "" if some don't record it."""
    seconds = [run.device_seconds for run in runs if run.device_seconds is not None]
    if len(seconds) < len(runs):
        return ""
    training = sum(run.values.get("train_seconds") or 0.0 for run in runs)
    shared = "; of runs at the same time each counts its share, while their own training adds up to "
    shared += duration(training)
    return f"{duration(sum(seconds))}, with set-up and evaluation{shared if training > sum(seconds) else ''}"


def _title(names: list[str], noun: str, tasks: Sequence[Task]) -> str:
    sets = sorted({task.config["dataset"]["name"] for task in tasks})
    if not sets:
        return "Runs that can't be read"
    where = ", ".join(sets) if len(sets) <= 3 else f"{len(sets)} data sets"
    return f"Which {noun} is better on {where}?" if len(names) > 1 else f"{', '.join(names)} on {where}"


def _period(started: list[str]) -> str:
    days = sorted({moment[:10] for moment in started})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else ""


def _copies_words(copies: int, runs: int) -> str:
    if not copies:
        return ""
    more, were = counted(copies, "more directory", "more directories"), "was a copy" if copies == 1 else "were copies"
    return f"{more} {were} of {'this run' if runs == 1 else 'these runs'}"


def _ordinal(number: int) -> str:
    return {1: "", 2: "second", 3: "third"}.get(number, f"{number}th")
