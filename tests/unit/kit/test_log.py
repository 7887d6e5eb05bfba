"""A log line is one line, and shows no secret."""

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.log import OneLine, configure, event, failure, line
from databox.kit.secret import Secret


@pytest.fixture
def written():
    """What is logged, as text; the process's own logging is put back afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    configure("lamp-store", stream)
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("lamp-store", "lamp-store"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("a\nevent forged=1", '"a\\nevent forged=1"'),
        ("\x1b[2Jgone", '"\\x{1b}[2Jgone"'),
        ("right\u202eleft", '"right\\x{202e}left"'),
        (b"key bytes", "<9 bytes>"),
        (Secret(b"key"), "Secret(hidden)"),
        ("x" * 500, '"' + "x" * 400 + '…"'),
    ],
)
def test_a_value_is_shown_so_that_it_stays_one_value(value, shown):
    assert line("event", key=value) == f"event key={shown}"


@given(st.text(max_size=100))
def test_no_value_ends_the_line_or_starts_a_field(text):
    shown = line("event", key=text)
    assert shown.isprintable()
    assert shown.splitlines() == [shown]


def test_an_event_names_time_level_part_and_fields(written):
    event(logging.getLogger("x"), logging.INFO, "store-opened", store="lamp-store", ms=3)
    text = written.getvalue()
    assert text[10] == "T"
    assert text.endswith("Z INFO part=lamp-store store-opened store=lamp-store ms=3\n")


def test_a_traceback_stays_on_its_line(written):
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError as error:
        failure(logging.getLogger("x"), "request-failed", error, error_id="a1")
    text = written.getvalue()
    assert text.count("\n") == 1
    assert "error_id=a1 trace=" in text
    assert "first\\nsecond" in text


def test_lines_of_other_libraries_are_made_one_line_too():
    record = logging.LogRecord("x", logging.INFO, "", 0, "two\nlines %s", ("\r",), None)
    assert OneLine("part").format(record).endswith("two\\x{a}lines \\x{d}")


def test_a_percent_sign_in_a_value_is_only_text(written):
    event(logging.getLogger("x"), logging.INFO, "asked", path="/%s%d")
    assert 'path="/%s%d"' in written.getvalue()
