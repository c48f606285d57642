"""The wheel works from any folder: conf/ travels inside the package, and a user's own groups join."""

import configparser
import os
import re
import subprocess
import sys
import zipfile

import pytest
from build_context import lay_context
from conftest import REPOSITORY, TINY

import sweeper
from sweeper.__main__ import COMMANDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own, as pip would lay it, built from what the Dockerfile copies."""
    folder = tmp_path_factory.mktemp("wheel")
    context = lay_context(folder / "context")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, context]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.startswith(f"optimizer_sweeper-{sweeper.__version__}-py3")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def script(installed):
    """The script `sweeper`, as pip writes it by the wheel's entry points."""
    points = configparser.ConfigParser()
    points.read(next(installed.glob("*.dist-info")) / "entry_points.txt")
    module, _, function = points["console_scripts"]["sweeper"].partition(":")
    path = installed.parent / "sweeper"
    lines = [
        "import sys",
        f"from {module} import {function}",
        'if __name__ == "__main__":',
        f"    sys.exit({function}())",
    ]
    path.write_text("\n".join([f"#!{sys.executable}", *lines]) + "\n")
    path.chmod(0o755)
    return path


def run(script, cwd, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(script.parent / "site"), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_lies_at_the_top_but_the_package_and_hydras_plugin(installed):
    names = {path.name for path in installed.iterdir()}
    assert names == {"sweeper", "hydra_plugins", f"optimizer_sweeper-{sweeper.__version__}.dist-info"}
    assert (installed / "sweeper" / "conf" / "optimizer" / "lion.yaml").is_file()
    assert (installed / "sweeper" / "schemas" / "train.json").is_file()
    # Without an __init__.py: other packages' plugins lie in a folder of this name too.
    plugins = sorted(path.name for path in (installed / "hydra_plugins").iterdir())
    names = ("listed_sweeper", "optuna_sweeper", "packed_launcher", "slurm_launcher")
    assert plugins == [f"sweeper_{name}.py" for name in names]


def test_each_command_is_a_script_too(installed):
    points = configparser.ConfigParser()
    points.read(next(installed.glob("*.dist-info")) / "entry_points.txt")
    wanted = {f"sweeper-{name}": f"{module}:main" for name, (module, _) in COMMANDS.items()}
    assert dict(points["console_scripts"]) == {"sweeper": "sweeper.__main__:main", **wanted}


def test_the_image_runs_the_command_as_a_user_without_rights():
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users and users[-1] not in ("USER root", "USER 0")
    assert 'ENTRYPOINT ["sweeper"]' in lines
    kept = {
        line.removeprefix("!") for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}
    assert kept == copied


def test_it_trains_from_any_folder_with_a_users_own_groups(script, tmp_path):
    """By the script: its workers find a module of the folder too, as those of `python -m` do."""
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "plain.yaml").write_text("_target_: own.Plain\n_partial_: true\nlr: 0.3\n")
    (tmp_path / "own.py").write_text("import torch\n\n\nclass Plain(torch.optim.SGD):\n    pass\n")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    done = run(script, tmp_path, "train", "--config-dir", "mine", "-m", "optimizer=plain,lion", *TINY, *launcher)
    assert done.returncode == 0, done.stderr
    names = {path.parent.name.split("-seed")[0] for path in (tmp_path / "outputs").glob("*/*/run.json")}
    assert names == {"plain", "lion"}
    where = subprocess.run(
        [sys.executable, "-c", "import sweeper; print(sweeper.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(script.parent / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(script.parent))


def test_the_lock_file_is_of_these_dependencies():
    """As `uv lock --check` would say, by names and ranges."""
    tomllib = pytest.importorskip("tomllib", reason="of Python 3.11")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text())
    (own,) = [package for package in lock["package"] if package["name"] == project["name"]]
    locked = {(entry["name"], ranges(entry.get("specifier", ""))) for entry in own["metadata"]["requires-dist"]}
    asked = set()
    for words in [project["dependencies"], *project["optional-dependencies"].values()]:
        for word in words:
            name, _, given = re.fullmatch(r"([\w.-]+)(\[[^]]*\])?(.*)", word.partition(";")[0].strip()).groups()
            asked.add((name.lower().replace("_", "-"), ranges(given)))
    assert locked == asked - {(project["name"], "")}


def test_the_lock_file_repeats_what_was_tried():
    """The torch that the table of docs/versions.md names for each Python."""
    table = (REPOSITORY / "docs" / "versions.md").read_text()
    tried = re.findall(r"^\| 3\.(\d+)\S* .*?\| (\d+\.\d+\.\d+) \|", table, re.MULTILINE)
    locked = re.findall(r'^name = "torch"\nversion = "(.*)"', (REPOSITORY / "uv.lock").read_text(), re.MULTILINE)
    assert {int(minor) for minor, _ in tried} == set(range(10, 15)) and {torch for _, torch in tried} == set(locked)


def ranges(text: str) -> str:
    return ",".join(sorted(text.split(",")))
