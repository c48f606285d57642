"""LaTeX of any text is well formed, and the check of it finds what isn't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex_reader import cells, check_latex

from sweeper.aggregate.latex import floating, in_latex, tabular

CELL = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(r"\&%$#_{}~^<>|[]*±–−× "))


@given(CELL, CELL)
def test_a_float_of_any_texts_is_well_formed(a, b):
    content = tabular("lr", [in_latex(a), "x"], [[in_latex(b), "1"], ["y", in_latex(a)]])
    check_latex(floating(content, in_latex(a + b), "tab:x"))


@pytest.mark.parametrize("text", ["{", "}", r"\begin{table}", "$", "a_b", "50 & 3", "−", r"\begin{table}\end{tabular}"])
def test_the_check_finds_what_is_wrong(text):
    with pytest.raises(AssertionError):
        check_latex(text)
    with pytest.raises(AssertionError):
        check_latex(tabular("ll", ["a", "b"], [["too", "many", "cells"]]))


def test_cells_are_read_back():
    assert cells(tabular("ll", ["a", "b"], [["c", "d"]])) == [["a", "b"], ["c", "d"]]
