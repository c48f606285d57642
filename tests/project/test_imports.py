"""What trains imports no pandas, what reads results imports no torch; each shown in a process of its own. No module
imports one that imports it."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import REPOSITORY
from made_runs import make_run


def loaded(code: str, cwd: Path) -> set[str]:
    """Those of the heavy libraries that are imported when `code` has run."""
    code = f"import sys\n{code}\nprint('loaded:', *({{'torch', 'pandas', 'scipy.stats', 'optuna'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "modules",
    [
        "sweeper",
        "sweeper.aggregate.command, sweeper.runs.results, sweeper.runs.rows, sweeper.aggregate.summary, "
        "sweeper.aggregate.tables, sweeper.aggregate.statistics",
        "sweeper.config.grid, sweeper.config.schema, sweeper.config.overrides, sweeper.runs.identity, "
        "sweeper.config.resolvers, sweeper.train.hydra_hooks",
        "sweeper.train.command, sweeper.train.sweep_end",
        "sweeper.choose.command, sweeper.choose.choice, sweeper.choose.confirm",
        "sweeper.train.search.carry_out, sweeper.train.search.trials, sweeper.train.search.pruning, "
        "hydra_plugins.sweeper_optuna_sweeper",
        "sweeper.watch.command, sweeper.watch.overview, sweeper.watch.table, sweeper.watch.load, "
        "sweeper.runs.sweep_files, sweeper.train.live_table",
        "sweeper.doctor.command, sweeper.doctor.table, sweeper.doctor.facts, sweeper.doctor.device_test",
        "sweeper.plan.command, sweeper.plan.table, sweeper.plan.forecast, sweeper.plan.probe, "
        "sweeper.plan.worker, sweeper.plan.timing",
        "sweeper.plan.speeds",
        "sweeper.tune.command, sweeper.tune.steps, sweeper.tune.search, sweeper.tune.time_needed",
        "sweeper.verify.command, sweeper.verify.checks, sweeper.verify.repeat",
        "sweeper.train.trackers.tracking, sweeper.train.trackers.tensorboard, "
        "sweeper.train.trackers.mlflow, sweeper.train.trackers.wandb",
        "hydra_plugins.sweeper_packed_launcher, sweeper.train.launchers.packed, "
        "sweeper.train.launchers.lanes, sweeper.train.launchers.gpu_processes, sweeper.engine.memory",
    ],
)
def test_what_reads_asks_and_checks_imports_no_heavy_library(tmp_path, modules):
    assert loaded(f"import {modules}", tmp_path) == set()


def test_tables_are_made_without_torch_and_csv_without_pandas(tmp_path):
    make_run(tmp_path / "outputs")
    aggregate = "from sweeper.aggregate.command import main; assert main([{}]) == 0"
    assert loaded(aggregate.format("'--format', 'csv,markdown,latex'"), tmp_path) == set()
    assert "torch" not in loaded(aggregate.format("'--format', 'parquet'"), tmp_path)


@pytest.mark.slow
def test_a_run_is_trained_without_pandas(tmp_path):
    code = f"""
sys.argv = ["train.py", *{["dataset=digits", "epochs=1", "device=cpu", "device.threads=1", "model=mlp"]}]
from sweeper.train.command import main
assert main() == 0
import sweeper.engine.weights
"""
    assert "pandas" not in loaded(code, tmp_path)
    assert list(tmp_path.glob("outputs/digits-mlp/*/model.safetensors"))


@pytest.mark.parametrize("arguments", [["--help"], ["optimizer=loin"]], ids=["help", "a typo"])
def test_a_question_is_answered_without_torch(tmp_path, arguments):
    code = f"""
sys.argv = ["train.py", *{arguments}]
from sweeper.train.command import main
try:
    main()
except SystemExit:
    pass
"""
    assert loaded(code, tmp_path) == set()


def test_no_modules_import_each_other():
    """Imports in functions and for types count too."""
    files = {file for folder in ("sweeper", "hydra_plugins") for file in (REPOSITORY / folder).rglob("*.py")}
    modules = {
        ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): file for file in files
    }
    graph = {name: set(_imported(file, modules)) - {name, "sweeper"} for name, file in modules.items()}
    assert graph["sweeper.choose.choice"] >= {"sweeper.aggregate.tasks", "sweeper.config.preset"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def _imported(file, modules):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name in modules)
