"""The user's own modules that a run calls are found without importing them, and nobody else's are."""

import hashlib
import importlib
import sys
from pathlib import Path

import pytest

from sweeper.runs.own_code import _code_of, changed_modules, code_of_parts, own_code, recorded_code


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(name, text)` makes a file in a folder in which Python looks, as if this process were a new one."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    def call(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        importlib.invalidate_caches()
        _code_of.cache_clear()
        return path

    yield call
    _code_of.cache_clear()


def of(target: str) -> dict[str, str]:
    return own_code({"optimizer": {"_target_": target, "lr": 0.1}})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_a_module_has_the_hash_of_its_source_and_is_not_imported(write):
    text = "raise SystemExit('imported')\n"
    write("ownopt.py", text)
    assert of("ownopt.Mine") == of("ownopt.Outer.Inner") == {"ownopt": digest(text)}
    assert "ownopt" not in sys.modules


def test_an_edit_gives_another_hash_in_the_next_process_and_line_ends_do_not(write):
    file = write("ownopt.py", "a = 1\n")
    before = of("ownopt.Mine")
    file.write_text("a = 2\n")
    assert of("ownopt.Mine") == before  # this process has imported it, or could have
    write("ownopt.py", "a = 2\n")
    assert changed_modules(before, of("ownopt.Mine")) == ["ownopt"]
    write("ownopt.py", "a = 1\r\n")
    assert of("ownopt.Mine") == before


def test_what_it_imports_of_the_users_own_is_part_of_it(write):
    """As bases, from inside of functions, by relative names, in a circle, in packages of all kinds."""
    write("ownopt.py", "import torch, os\nfrom ownbase import Base\n\ndef step():\n    import ownlib.kernels.fast\n")
    write("ownbase.py", "import ownopt\n")
    write("ownlib/__init__.py", "from . import unused\n")
    write("ownlib/unused.py", "")
    write("ownlib/kernels/fast.py", "from .slow import f\nfrom .. import names\nfrom ..names import x\n")
    write("ownlib/kernels/slow.py", "def f(): pass\n")
    write("ownlib/names.py", "x = 1\n")
    found = of("ownopt.Mine")
    assert list(found) == ["ownbase", "ownlib.kernels.fast", "ownlib.kernels.slow", "ownlib.names", "ownopt"]


def test_a_name_that_a_package_takes_from_elsewhere_leads_there(write):
    write("ownlib/__init__.py", "from .inner import Mine\n")
    write("ownlib/inner.py", "class Mine: pass\n")
    assert list(of("ownlib.Mine")) == ["ownlib", "ownlib.inner"]


@pytest.mark.parametrize(
    "target",
    ["torch.optim.SGD", "sweeper.models.cnn", "collections.OrderedDict", "no_such_package.Mine", "ownopt", "...", ""],
)
def test_what_is_installed_or_nowhere_is_nobodys_own(write, target):
    write("site-packages/ownopt.py", "")
    assert of(target) == {}


def test_what_is_installed_where_python_looks_is_not_the_users_own(write, tmp_path, monkeypatch):
    write("lib/site-packages/ownpackage/__init__.py", "")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "lib" / "site-packages")])
    assert of("ownpackage.Mine") == {}


@pytest.mark.parametrize("text", ["def broken(:\n", "x = '\\d'\n", "\0", "(" * 5000])
def test_a_source_that_can_not_be_read_as_python_has_its_hash_all_the_same(write, text, recwarn):
    write("ownopt.py", text)
    assert of("ownopt.Mine") == {"ownopt": digest(text)} and not recwarn.list


def test_every_part_that_determines_a_result_counts(write):
    for name in ("ownopt", "ownbase", "ownnet", "ownschedule", "owndata", "owntracker"):
        write(f"{name}.py", "")
    config = {
        "optimizer": {"_target_": "ownopt.Mine", "base": {"_target_": "ownbase.Base"}},
        "model": {"_target_": "ownnet.net"},
        "schedule": {"_target_": "ownschedule.schedule", "list": [{"_target_": "torch.nn.ReLU"}]},
        "dataset": {"loader": "owndata.load", "root": "ownnet.txt"},
        "tracking": {"_target_": "owntracker.Tracker"},
    }
    assert list(own_code(config)) == ["ownbase", "owndata", "ownnet", "ownopt", "ownschedule"]


@pytest.mark.parametrize("code", [None, "x", [1], {"a": 1}, {"a": None}, dict.fromkeys(map(str, range(200)), "x")])
def test_what_is_no_record_of_code_is_none(code):
    assert recorded_code({"code": code}) == {} and code_of_parts({"code": code, "earlier": code}) == {}


def test_a_run_of_several_codes_has_them_in_the_order_of_its_parts():
    earlier = [{"code": {"a": "1", "b": "1"}}, {"code": {"a": "1"}}, 3]
    assert code_of_parts({"code": {"a": "2", "b": "1"}, "earlier": earlier}) == {"a": ["1", "2"], "b": ["1"]}


def test_what_one_side_does_not_know_has_not_changed():
    assert changed_modules({"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "1", "d": "1"}) == ["a"]
    assert changed_modules({}, {"a": "1"}) == []
