"""Numbers and texts as people read them, each in one line."""

import pytest

from sweeper.system.text import (
    LONGEST_TEXT,
    amount,
    counted,
    duration,
    few,
    listed,
    percent,
    printable,
    printable_lines,
    shortened,
    size,
    times,
)


def test_letters_of_all_scripts_stay_and_what_breaks_a_line_does_not():
    assert printable("réseau 深層 ß") == "réseau 深層 ß"
    assert printable("a\nb\r\tc\x1b[1m\ud800\x00\u2028d") == "a b  c [1m   d"


@pytest.mark.parametrize(
    "text",
    [
        "e\u0301te\u0301",  # accents as marks of their own
        "日本語 한국어 ქართული",
        "שלום عربى",
        "👩\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥",
        "क्\u200dष",
        "می\u200cخواهم",
    ],
)
def test_honest_texts_stay_as_they_are(text):
    assert printable(text) == text
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    "character",
    [
        *"\x07\x1b\x7f\x80\x9b\xad",
        *"\u200b\u200c\u200d\u200e\u202a\u202e\u2060\u2066\u2069\ufeff",
        "\ud800",
        "\U000e0041",
    ],
)
def test_what_moves_hides_or_turns_a_text_becomes_a_space(character):
    assert printable(f"a{character}b") == "a b"
    assert printable(f"{character}") == " "
    assert printable_lines(f"a{character}\nb\n") == "a \nb\n"


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


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.00001, "less than 0.0001"),
        (0.00123, "0.0012"),
        (0.25, "0.25"),
        (1, "1.00"),
        (1234.5, "1,234.50"),
    ],
)
def test_amounts_of_money_and_energy(value, words):
    assert amount(value) == words


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, "run"), "0 runs"),
        ((1, "run"), "1 run"),
        ((1500, "run"), "1,500 runs"),
        (("1500", "epoch"), "1500 epochs"),
        (("1", "point"), "1 point"),
        (("0.5", "point"), "0.5 points"),
        ((1, "more copy", "more copies"), "1 more copy"),
        ((2, "more copy", "more copies"), "2 more copies"),
    ],
)
def test_what_is_counted_is_one_or_several(given, said):
    assert counted(*given) == said


def test_times_are_once_twice_or_a_number():
    assert [times(n) for n in (1, 2, 3)] == ["once", "twice", "3 times"]


def test_a_list_is_told_whole_or_cut():
    assert listed([3]) == "3" and listed("abc") == "a, b and c" and listed("ab", "or") == "a or b"
    assert few("abc") == "a, b, c" and few("abcd", 3, "; ") == "a; b; c and 1 more"
