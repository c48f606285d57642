"""Each format has its files, and only what says which are equivalent depends on the margin."""

import pytest
from made_runs import make_arm

from sweeper.aggregate.contents import Contents
from sweeper.runs.layout import FILES_OF, FORMATS
from sweeper.runs.results import read_results


@pytest.fixture
def contents(tmp_path):
    for optimizer, accuracy in (("adam", 0.9), ("sgd", 0.901)):
        make_arm(tmp_path, accuracy, optimizer=optimizer)
    return Contents(read_results([tmp_path]))


@pytest.mark.parametrize("form", FORMATS)
def test_the_files_of_a_format_are_those_that_the_layout_names(contents, form):
    assert set(contents.files(form)) == set(FILES_OF[form]) and all(contents.files(form).values())


def test_a_margin_is_in_what_says_which_are_equivalent(contents):
    with_margin = {
        name
        for form in FORMATS
        for name, content in contents.files(form, 0.05).items()
        if contents.files(form)[name] != content
    }
    assert with_margin == {"summary.md", "summary.tex", "pairs.csv"}
