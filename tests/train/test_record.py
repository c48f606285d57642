"""A run's figures from its epochs' rows."""

import subprocess

import pytest
from made_runs import make_rows

import sweeper.train.record
from sweeper.runs.status import Status
from sweeper.train.record import _commit, summarize_rows, with_relative_root

ROWS = make_rows([0.5, 0.9, 0.8])


def summarize(status: str = "completed", target: float | None = None, rows: list | None = None) -> dict:
    return summarize_rows(ROWS if rows is None else rows, {"target_accuracy": target}, {}, Status(status), shared=False)


def test_final_and_best_are_both_told():
    result = summarize()
    assert (result["final_test_accuracy"], result["best_test_accuracy"], result["best_epoch"]) == (0.8, 0.9, 2)
    assert (result["epochs_done"], result["steps"], result["train_seconds"]) == (3, 60, 1.5)
    assert result["images_per_second"] == 2000


def test_only_a_completed_run_has_final_figures():
    for status in ("diverged", "failed", "interrupted"):
        result = summarize(status)
        assert result["final_test_accuracy"] is None and result["final_train_loss"] is None
        assert result["best_test_accuracy"] == 0.9


@pytest.mark.parametrize(
    ("target", "status", "steps"),
    [
        (None, "completed", None),
        (0.5, "completed", 20),
        (0.85, "completed", 40),
        (0.95, "completed", "inf"),
        (0.95, "diverged", "inf"),
        (0.95, "interrupted", None),
        (0.5, "interrupted", 20),
    ],
)
def test_steps_to_target_are_of_the_first_epoch_that_reaches_it(target, status, steps):
    assert summarize(status, target)["steps_to_target"] == steps


def test_a_run_without_an_epoch_has_no_figures():
    result = summarize("failed", 0.5, rows=[])
    assert result["epochs_done"] == 0 and result["best_test_accuracy"] is None and result["images_per_second"] is None


@pytest.mark.parametrize("form", ["scikit-learn's digits", "someone/pets of the Hugging Face Hub"])
def test_a_root_from_which_nothing_was_read_is_not_named(tmp_path, form):
    assert with_relative_root(form, str(tmp_path / "cache"), tmp_path / "outputs" / "task" / "run") == form


def fresh_commit() -> str | None:
    """As a process's first call answers."""
    _commit.cache_clear()
    return _commit()


@pytest.mark.parametrize(("given", "recorded"), [("0123456789ab", "0123456789ab"), ("", None), (None, None)])
def test_without_a_clone_the_commit_is_what_the_environment_says(tmp_path, monkeypatch, given, recorded):
    monkeypatch.delenv("SWEEPER_COMMIT", raising=False)
    if given is not None:
        monkeypatch.setenv("SWEEPER_COMMIT", given)
    monkeypatch.setattr(sweeper.train.record, "PACKAGE", tmp_path / "sweeper")
    assert fresh_commit() == recorded


def make_clone(folder):
    """A clone with a commit. Returns a function that runs git there."""

    def git(*words: str) -> str:
        given = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(folder), *given, *words], check=True, capture_output=True, text=True
        ).stdout

    folder.mkdir(exist_ok=True)
    git("init", "-q")
    (folder / "file").write_text(f"as committed in {folder.name}")
    git("add", ".")
    git("commit", "-qm", "first")
    return git


@pytest.mark.parametrize("variables", [["GIT_DIR", "GIT_INDEX_FILE"], ["GIT_INDEX_FILE"], ["GIT_WORK_TREE"]])
def test_another_repository_in_whose_hook_the_command_runs_is_not_taken_for_it(tmp_path, monkeypatch, variables):
    git, other = make_clone(tmp_path / "clone"), tmp_path / "other"
    make_clone(other)
    monkeypatch.setattr(sweeper.train.record, "PACKAGE", tmp_path / "clone" / "sweeper")
    commit = git("rev-parse", "HEAD").strip()
    places = {"GIT_DIR": other / ".git", "GIT_INDEX_FILE": other / ".git" / "index", "GIT_WORK_TREE": other}
    for name in variables:
        monkeypatch.setenv(name, str(places[name]))
    assert fresh_commit() == commit[:12]


def test_a_clones_own_commit_counts_whatever_the_environment_says(tmp_path, monkeypatch):
    git = make_clone(tmp_path)
    monkeypatch.setenv("SWEEPER_COMMIT", "something else")
    monkeypatch.setattr(sweeper.train.record, "PACKAGE", tmp_path / "sweeper")
    commit = git("rev-parse", "HEAD").strip()
    assert fresh_commit() == commit[:12]
    (tmp_path / "file").write_text("changed")
    assert fresh_commit() == f"{commit[:12]}-dirty"

    git("commit", "-qam", "second")
    assert _commit() == f"{commit[:12]}-dirty", "a process runs the modules that it has imported"
