"""Numbers and texts as people read them, each in one line."""

import pytest

from sweeper.system.text import LONGEST_TEXT, duration, percent, printable, shortened, size


def test_letters_of_all_scripts_stay_and_what_breaks_a_line_does_not():
    assert printable("réseau 深層 ß") == "réseau 深層 ß"
    assert printable("a\nb\r\tc\x1b[1m\ud800\x00\u2028d") == "a b  c [1m   d"


def test_a_long_text_is_cut_where_one_sees_it():
    assert shortened("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert shortened("x" * (LONGEST_TEXT + 1)) == "x" * (LONGEST_TEXT - 1) + "…"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (4320, "1 h 12 min"), (183_600, "2 d 3 h")],
)
def test_times_as_a_person_reads_them(seconds, words):
    assert duration(seconds) == words


def test_accuracies_in_percent():
    assert (percent(0.94118), percent(None)) == ("94.12 %", "–")


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (12_345, "12 KB"),
        (3.2e6, "3.2 MB"),
        (7e10, "70 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_by_powers_of_1000(n, words):
    assert size(n) == words
