"""The wheel works from any folder: conf/ travels inside the package, and a user's own groups join."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import REPOSITORY, TINY

import sweeper

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own, as pip would lay it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.startswith(f"optimizer_sweeper-{sweeper.__version__}-py3")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed, cwd, *arguments: object) -> subprocess.CompletedProcess[str]:
    code = "import sys, sweeper.train.command; print(sweeper.__file__); sys.exit(sweeper.train.command.main())"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_lies_at_the_top_but_the_package_and_hydras_plugin(installed):
    names = {path.name for path in installed.iterdir()}
    assert names == {"sweeper", "hydra_plugins", f"optimizer_sweeper-{sweeper.__version__}.dist-info"}
    assert (installed / "sweeper" / "conf" / "optimizer" / "lion.yaml").is_file()
    # Without an __init__.py: other packages' plugins lie in a folder of this name too.
    plugins = sorted(path.name for path in (installed / "hydra_plugins").iterdir())
    assert plugins == ["sweeper_optuna_sweeper.py", "sweeper_packed_launcher.py", "sweeper_slurm_launcher.py"]


def test_it_trains_from_any_folder_with_a_users_own_groups(installed, tmp_path):
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "plain.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n")
    done = run(installed, tmp_path, "--config-dir", "mine", "-m", "optimizer=plain,lion", *TINY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed))
    names = {path.parent.name.split("-seed")[0] for path in (tmp_path / "outputs").glob("*/*/run.json")}
    assert names == {"plain", "lion"}
