"""The examples in the docstrings say what the functions give."""

import doctest
import importlib
from pathlib import Path

import pytest

import sweeper

PACKAGE = Path(sweeper.__file__).parent
MODULES = [
    f"sweeper.{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}"
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0 and found.failed == 0
