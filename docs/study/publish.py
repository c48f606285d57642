"""`python docs/study/publish.py [OUTPUTS …]`: finished runs into `docs/study/`, and all that is made of them.

Copies `run.json` and `metrics.csv` of each finished run below the folders OUTPUTS: of those with validation images held
out into `tuning/runs/`, of those with `tag=alone`, short ones that had their device alone, into `alone/runs/`, of the
others into `runs/`, and where `runs/` has the same run, trained at another time, below `again/`: what was published
there is not replaced. Then writes the tables, the page, the figures and the choice of the search, and fills what stands
between `<!-- name -->` and `<!-- /name -->` in the study's page and the README: no number there is typed. Without
OUTPUTS it does the second part alone.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from sweeper.aggregate.command import aggregate
from sweeper.aggregate.labels import is_clean
from sweeper.aggregate.repeats import distance_by_chance
from sweeper.aggregate.search import at_edge, chosen_settings, searched_accuracy, searched_options
from sweeper.aggregate.tasks import Task, group_tasks, task_title
from sweeper.aggregate.verdict import describe_limits, describe_task
from sweeper.choose.choice import choose, the_search
from sweeper.report.command import report
from sweeper.report.provenance import read_origin
from sweeper.report.tables import PageTable, pairs_table, ranking_table
from sweeper.runs.layout import METRICS_FILE, RUN_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.record import read_run
from sweeper.runs.results import Results, read_results
from sweeper.runs.rows import Run
from sweeper.system.errors import BadInput

STUDY = Path(__file__).resolve().parent
README = STUDY.parent.parent / "README.md"
FIGURES = {
    "curves": "Test accuracy by epoch: mean and standard deviation over seeds; the lowest points lie below the axis",
    "seeds": "Final and best test accuracy of each seed",
    "noise": "Accuracy by the share of wrong labels",
}


def publish(outputs: Sequence[str], study: Path, readme: Path) -> None:
    """See above. `study` has a README.md with the places to fill; `readme` may have one.

    Raises:
        BadInput: a run tells its host, a file has no such place, or there are no runs.
    """
    for folder in outputs:  # each by itself: read together, a run and its repeat would be taken for copies of one
        for run in read_results([folder]).runs:
            take_over(run, study)
    runs, tuning = study / "runs", study / "tuning"
    print(aggregate([str(runs)], str(study), ["csv"]))
    report([str(runs)], str(study), str(study / "figures"))
    if tuning.is_dir():
        choose([str(tuning / "runs")], str(tuning))
        aggregate([str(tuning / "runs")], str(tuning), ["csv"])
    page, summary = blocks(study)
    fill(study / "README.md", page)
    if "<!-- study -->" in readme.read_text(encoding="utf-8"):
        fill(readme, summary)


def take_over(run: Run, study: Path) -> None:
    """Copy a finished run's record and curve; of one that isn't finished say that it is left out."""
    if not run.status.finished:
        print(f"left out: {run.path} ({run.values['status']})", file=sys.stderr)
        return
    if read_run(Path(run.path))["environment"].get("host"):
        raise BadInput(f"{run.path}: its record tells the host's name; train with record_host=false")
    part = "tuning/runs" if run.values.get("dataset.validation_fraction") else "runs"
    part = "alone/runs" if run.values.get("tag") == "alone" else part
    path = Path(run.path)
    to = study / part / path.parent.name / path.name
    if part == "runs" and (to / RUN_FILE).is_file() and _started(to) != _started(path):
        to = study / "again" / re.sub(r"\W", "", _started(path)) / path.parent.name / path.name
    to.mkdir(parents=True, exist_ok=True)
    for name in (RUN_FILE, METRICS_FILE):
        shutil.copyfile(path / name, to / name)


def _started(run: Path) -> str:
    return str(read_run(run)["environment"]["started"])


def blocks(study: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What belongs between the marks of the study's page, and of the README: Markdown by name."""
    results = read_results([study / "runs"])
    tasks = group_tasks(results.runs)
    searched, alone = (
        read_results([study / part / "runs"]) if (study / part).is_dir() else None for part in ("tuning", "alone")
    )
    page = {
        "results": "\n\n".join([*(f"### {task_title(task)}\n\n{_task(task)}" for task in tasks), _figures(study)]),
        "limits": "\n".join(f"- {sentence}" for sentence in describe_limits(tasks, results.runs)),
        "search": _search(searched) if searched else "",
        "cost": _cost({"search": searched, "study": results}),
        "speed": _speed(alone) if alone else "",
        "again": _again(study, tasks),
    }
    clean = [task for task in tasks if is_clean(task.config["noise"])]
    main = max(clean or tasks, key=lambda task: (min(task.comparison.seeds.values(), default=0), task.config["epochs"]))
    parts = ["## What came of it", f"**{task_title(main)}**", _verdict(main), _ranking(main)]
    parts += ["![Learning curves and final accuracies of the study](docs/study/figures/curves.png)"]
    for task in tasks:
        if task is not main:
            parts += [f"**{task_title(task)}**", _verdict(task)]
    parts += ["More, and every number behind it: [docs/study](docs/study/README.md)."]
    return page, {"study": "\n\n".join(parts)}


def fill(file: Path, places: dict[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for name, content in places.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not place.search(text):
            raise BadInput(f"{file}: has no lines '<!-- {name} -->' and '<!-- /{name} -->' to write between")
        between = f"\n{content}\n\n" if content else ""
        text = place.sub(lambda found, between=between: f"{found[1]}{between}{found[2]}", text)
    file.write_text(text, encoding="utf-8")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _task(task: Task) -> str:
    parts = [_verdict(task), _ranking(task)]
    pairs = pairs_table(task)
    return "\n\n".join([*parts, _shown(pairs)] if pairs.rows else parts)


def _verdict(task: Task) -> str:
    """The answer in a line, and below it what it stands on."""
    answer, *sentences = describe_task(task)
    return "\n\n".join(filter(None, [f"**{answer}**", " ".join(sentences)]))


def _figures(study: Path) -> str:
    there = [name for name in FIGURES if (study / "figures" / f"{name}.png").is_file()]
    words = (
        "Every seed's curve: [report.html](report.html). A row a run: [results.csv](results.csv). A row a "
        "configuration: [summary.csv](summary.csv)."
    )
    return "\n\n".join([*(f"![{FIGURES[name]}](figures/{name}.png)" for name in there), words])


def _ranking(task: Task) -> str:
    return _shown(ranking_table(task))


def _shown(of: PageTable) -> str:
    return table(of.header, [[cell.text for cell in line.cells] for line in of.rows])


def _search(searched: Results) -> str:
    """What was chosen, and the commands that search again, with every value written out: the defaults have changed."""
    task = the_search(group_tasks(searched.runs), ["tuning/runs"])
    options = searched_options(task)
    rows, commands = [], []
    for chosen in chosen_settings(task):
        values = [f"{chosen.config['optimizer'].get(name, '–')}" for name in options]
        edge = ", ".join(f"{end} {name}" for name, end in at_edge(task, chosen, options).items()) or "–"
        tried = [setting for setting in task.settings if setting.optimizer == chosen.optimizer]
        rows.append([chosen.optimizer, *values, f"{100 * searched_accuracy(chosen):.2f}", str(len(tried)), edge])
        fraction = task.config["dataset"]["validation_fraction"]
        words = [f"optimizer={chosen.optimizer}", f"dataset.validation_fraction={fraction}", "save_model=false"]
        words += [f"decay_norms_and_biases={str(chosen.config.get('decay_norms_and_biases', False)).lower()}"]
        for name in options:
            grid = sorted({s.config["optimizer"][name] for s in tried if name in s.config["optimizer"]})
            words += [f"optimizer.{name}={','.join(map(str, grid))}"] if grid else []
        words += [f"dataset={task.config['dataset']['name']}", f"epochs={task.config['epochs']}"]
        commands.append(shlex.join(["python", "-m", "sweeper.train", "-m", *words]))
    header = ["optimizer", *options, "validation accuracy, %", "trials", "at the grid's edge"]
    words = (
        "Beyond a value at the grid's edge may lie a better one. Every trial is in "
        "[tuning/search.csv](tuning/search.csv). These commands make them again, with every value written out, since "
        "the defaults were others then:"
    )
    return "\n\n".join([table(header, rows), words, "\n".join(f"    {command}" for command in commands)])


def _cost(parts: dict[str, Results | None]) -> str:
    rows = []
    for name, results in parts.items():
        if results is None:
            continue
        origins = [read_origin(run) for run in results.runs]
        seconds = [origin.device_seconds for origin in origins]
        known = [s for s in seconds if s is not None]
        minutes = f"{sum(known) / 60:.1f}" if len(known) == len(seconds) else "not recorded"
        devices = ", ".join(sorted({origin.device_name for origin in origins if origin.device_name}))
        epochs = sum(run.epochs_done for run in results.runs)
        rows.append([name, str(len(seconds)), f"{epochs:,}", minutes, devices])
    return table(["part", "runs", "epochs in all", "device minutes", "device"], rows)


def _speed(alone: Results) -> str:
    """Seconds of an epoch's training, the first epoch left out: kernels are chosen in it."""
    rows = []
    for run in alone.runs:
        if run.values.get("shared_device") is not False:
            raise BadInput(f"{run.path}: it shared its device, so its seconds tell nothing; train it again, alone")
        timed = [row["train_seconds"] for row in read_metrics(Path(run.path) / METRICS_FILE)[0][1:]]
        epoch = median(seconds for seconds in timed if seconds is not None)
        rows.append((epoch, [run.values["optimizer"], f"{epoch:.2f}", str(len(timed)), read_origin(run).device_name]))
    return table(["optimizer", "seconds an epoch", "epochs timed", "device"], [row for _, row in sorted(rows)])


def _again(study: Path, tasks: list[Task]) -> str:
    """Each repeat beside the run that was published first, and how far two draws of the seeds' scatter lie apart."""
    rows, near = [], []
    for run in (run for folder in sorted(study.glob("again/*")) for run in read_results([folder]).runs):
        values = run.values
        of = (run.configuration, values["seed"])
        found = [(t, first) for t in tasks for first in t.runs() if (first.configuration, first.values["seed"]) == of]
        if not found:
            raise BadInput(f"{run.path}: it repeats no run of {study / 'runs'}; take it away")
        task, first = found[0]
        accuracies = [_percent(r.values["final_test_accuracy"]) for r in (first, run)]
        bound = _percent(distance_by_chance([list(setting.final().values()) for setting in task.compared]))
        known = [a for a in accuracies if a is not None]
        difference = known[1] - known[0] if len(known) == 2 else None
        if difference is not None and bound is not None:
            near.append(abs(difference) <= bound)
        words = [str(values[name]) for name in ("optimizer", "noise_rate", "epochs", "seed")]
        words += ["diverged" if a is None else f"{a:.2f}" for a in accuracies]
        words += ["–" if difference is None else f"{difference:+.2f}", "–" if bound is None else f"{bound:.2f}"]
        rows.append(words + [_short(str(read_run(Path(r.path))["environment"]["commit"])) for r in (first, run)])
    header = ["optimizer", "wrong labels", "epochs", "seed", "first, %", "again, %", "difference", "two seeds'"]
    header += ["first's commit", "again's"]
    count = f"{sum(near)} of {len(near)} repeats lie as close to their first run as two seeds do in 95 of 100 cases."
    return "\n\n".join([table(header, rows), count]) if rows else ""


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _short(commit: str) -> str:
    """What is not committed stays marked."""
    return commit[:7] + "-dirty" * commit.endswith("-dirty")


if __name__ == "__main__":
    try:
        publish(sys.argv[1:], STUDY, README)
    except BadInput as error:
        sys.exit(f"error: {error}")
