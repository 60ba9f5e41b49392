# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from orchestrator.upgrade.report.cleaning import LONGEST_LINE, MOST_LINES, Editor, clean


class Removing:
    """Takes `secret` out, over lines too."""

    def redact(self, text: str) -> tuple[str, int]:
        return text.replace("sec\nret", "[removed]").replace("secret", "[removed]"), text.count("secret")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1bP1$r0m\x1b\\text", "text"),
        ("\x9b31mred", "red"),
        ("bell\x07", "bell\N{REPLACEMENT CHARACTER}"),
        ("a\tb", "a       b"),
        ("\ud800half", "\N{REPLACEMENT CHARACTER}half"),
        ("\u202eevil", "\N{REPLACEMENT CHARACTER}evil"),
        ("\x00" * 50 + "end", "\N{REPLACEMENT CHARACTER}" * 3 + "end"),
        ("Grüße, 日本", "Grüße, 日本"),
    ],
)
def test_nothing_is_left_that_a_terminal_or_a_browser_would_act_on(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_the_last_lines_are_kept_and_the_others_counted() -> None:
    data = b"".join(b"line %d\n" % number for number in range(MOST_LINES + 10))
    output = Editor().output(data)
    assert output.lines[0] == "line 10"
    assert output.lines[-1] == f"line {MOST_LINES + 9}"
    assert output.left_out == len("line 0\n") * 10


def test_a_log_that_is_read_from_its_middle_begins_with_a_whole_line() -> None:
    output = Editor().output(b"half a line\nwhole\n", before=1000)
    assert output.lines == ("whole",)
    assert output.left_out == 1000 + len("half a line\n")


def test_a_progress_bar_is_what_stands_there_at_last() -> None:
    assert Editor().output(b"10 %\r50 %\r100 %\r\nready\n").lines == ("100 %", "ready")


def test_a_long_line_keeps_both_its_ends() -> None:
    (line,) = Editor().output(b"begin" + b"x" * 5000 + b"end").lines
    assert len(line) < LONGEST_LINE + 50
    assert line.startswith("begin")
    assert line.endswith("end")
    assert "4508 characters" in line


def test_no_output_is_no_lines() -> None:
    assert Editor().output(b"").lines == Editor().output(b"\n").lines == ()


def test_secrets_are_taken_out_before_anything_is_left_out() -> None:
    edit = Editor(Removing())
    assert edit.text("a secret") == "a [removed]"
    data = b"sec\nret\n" + b"line\n" * (MOST_LINES - 1)
    assert edit.output(data).lines[0] == "[removed]"
    assert edit.redacted == 1


def test_names_are_not_taken_for_secrets() -> None:
    assert Editor(Removing()).name("upgrade/0100_secret.sh") == "upgrade/0100_secret.sh"
