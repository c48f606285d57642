"""Caches go to a folder that can be written."""

import tempfile

import pytest

from sweeper.system import places
from sweeper.system.files import shared_temporary_folder


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """None of the variables is set, and the temporary folder is another one."""
    for name in ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", *places.OF_LIBRARIES):
        monkeypatch.setenv(name, "")  # what is set after this line is unset at the test's end
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return monkeypatch


def test_caches_lie_in_the_home_folder(bare, tmp_path):
    bare.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert places.cache_folder() == tmp_path / "home" / ".cache" / "optimizer-sweeper"
    bare.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert places.cache_folder() == tmp_path / "cache" / "optimizer-sweeper"


@pytest.mark.parametrize("home", ["/proc/x", None])
def test_without_a_home_folder_they_lie_in_the_temporary_one(bare, home):
    bare.setenv("HOME", home or "")
    if home is None:
        bare.setattr(places.Path, "expanduser", _no_user)
        bare.setattr(places.Path, "home", _no_user)
    assert places.cache_folder() == (spare := shared_temporary_folder() / "cache")
    places.prepare_caches()
    named = {name: places.os.environ[name] for name in ("TORCHINDUCTOR_CACHE_DIR", *places.OF_LIBRARIES)}
    assert all(path.startswith(f"{spare}/") for path in named.values())


def test_with_no_folder_at_all_there_is_no_cache(bare):
    bare.setenv("HOME", "/proc/x")
    bare.setattr(tempfile, "tempdir", "/proc/x")
    assert places.cache_folder() is None
    places.prepare_caches()
    assert "TORCHINDUCTOR_CACHE_DIR" not in places.os.environ


def _no_user(*arguments):
    raise RuntimeError("Could not determine home directory.")
