"""The references: one for each optimizer whose YAML names a paper, and the same paper."""

import re

import pytest
from conftest import REPOSITORY

from sweeper.aggregate.references import SHARED, STATISTICS, entries, key_of, to_bibtex

OPTIMIZERS = sorted((REPOSITORY / "conf" / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize("path", OPTIMIZERS, ids=lambda path: path.stem)
def test_an_optimizers_entry_is_the_paper_that_its_yaml_names(path):
    """The paper stands in brackets behind the name, with which the file begins."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    cited = re.match(r"# [\w\- ]+? \(([^)]*)\)", first)
    key = key_of(path.stem)
    assert (key is None) == (cited is None)
    if key is not None:
        words = cited[1].replace("arXiv ", "")
        named, year = re.match(r"(\w+).*?(\d{4})", words), re.search(r"year = \{(\d+)\}", entries()[key])
        assert words in entries()[key] or (named[1] in entries()[key] and named[2] == year[1])


def test_every_entry_is_well_formed_and_belongs_to_something():
    known = {*STATISTICS, "demsar2006", "dodge2019", *SHARED.values(), *(path.stem for path in OPTIMIZERS)}
    assert entries().keys() <= known and set(STATISTICS) <= entries().keys()
    for entry in entries().values():
        assert entry.count("{") == entry.count("}") and "author = {" in entry and "title = {" in entry


def test_each_stands_once_and_an_unknown_optimizer_has_none():
    assert to_bibtex(["adam", "adam"]).count(b"@") == 1
    assert key_of("schedule_free_sgd") == key_of("schedule_free_adamw") == "schedule_free"
    assert key_of("mine") is None and key_of("sgd") is None
