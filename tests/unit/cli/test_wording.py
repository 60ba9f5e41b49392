# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of steps made harmless and cut into lines; events in words."""

import random

import pytest

from orchestrator.cli.wording import LONGEST_LINE, Line, LineSplitter, after_stop, clean, describe, leftovers
from orchestrator.upgrade.journal import EventName
from tests.support.plans import event

GONE = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u20ac \U0001f600 text", "plain \u20ac \U0001f600 text"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;38;5;200mcolour\x1b[m", "colour"),
        ("\x1b(B\x1b[mas tput sgr0 writes it", "as tput sgr0 writes it"),
        ("\x1b7\x1b8\x1b=\x1b>\x1bc\x1bM", ""),
        ("\x1b[2J\x1b[H\x1b[?25l\x1b[?1049h", ""),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b#8\x1b%G", ""),
        ("\x1bP+q544e\x1b\\", "+q544e"),
        ("a\tb", "a       b"),
        ("12345678\tb", "12345678        b"),
        ("\x00\x07\x08\x0b\x0c\x0e\x1f\x7f", GONE * 8),
        ("\x9b31m \x85 \x90", f"{GONE}31m {GONE} {GONE}"),
        ("\x1b", GONE),
        ("\x1b[31", "31"),
        ("\x1b]0;never ended", "0;never ended"),
        ("carriage\rreturn", f"carriage{GONE}return"),
    ],
)
def test_text_is_made_harmless(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_any_text_is_harmless_afterwards() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        text = "".join(chance.choices("\x1b[](P\\\x07\x9b;0m?\r\x08\x00aB#\t ~", k=chance.randint(1, 12)))
        assert clean(text).isprintable(), repr(text)


# Lines ------------------------------------------------------------------------------------------------------


def lines_of(*pieces: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush()


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\nb"], ["a", "b"]),
        ([b"a", b"b\nc", b"\n"], ["ab", "c"]),
        ([b"a\r\nb\r\n"], ["a", "b"]),
        ([b"a\r", b"\nb"], ["a", "b"]),
        ([b"a\r", b"", b"\nb"], ["a", "b"]),
        ([b"a\r", b"\n", b"\nb"], ["a", "", "b"]),
        ([b"a\r", b"b\r", b"c"], ["a", "b", "c"]),
        ([b" 10%\r 20%\r100%\n"], [" 10%", " 20%", "100%"]),
        ([b"\n\n"], ["", ""]),
        ([b""], []),
        ([b"\xe2\x82", b"\xac\n"], ["\u20ac"]),
        ([b"\xff\xfe\n"], [GONE * 2]),
        ([b"\x1b[3", b"1mred\n"], ["red"]),
        ([bytes(range(32, 127)) + b"\n"], ["".join(map(chr, range(32, 127)))]),
    ],
)
def test_pieces_become_lines(pieces: list[bytes], lines: list[str]) -> None:
    assert lines_of(*pieces) == lines


def test_it_does_not_matter_where_the_pieces_end() -> None:
    chance = random.Random(2)
    for _ in range(2000):
        data = bytes(chance.choices(b"ab\r\n\x1b[m\xe2\x82\xac", k=chance.randint(0, 12)))
        cuts = sorted(chance.choices(range(len(data) + 1), k=chance.randint(0, 4)))
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert lines_of(*pieces) == lines_of(data), repr(pieces)


def test_a_line_that_never_ends_is_cut_and_costs_no_memory() -> None:
    splitter = LineSplitter()
    told = [line for _ in range(100) for line in splitter.feed(b"x" * 65536)]
    assert len(splitter.flush()) == 0
    assert {len(line) for line in told} == {LONGEST_LINE + len(" ...")}
    assert splitter.feed(b"short\n") == ["short"]


def test_a_long_line_is_cut_and_the_next_is_whole() -> None:
    first, second = lines_of(b"x" * 10000 + b"\nshort\n")
    assert (first, second) == ("x" * LONGEST_LINE + " ...", "short")
    exactly = b"x" * LONGEST_LINE
    assert lines_of(exactly + b"\n") == [exactly.decode()]


def test_bytes_of_any_kind_are_lines() -> None:
    data = random.Random(3).randbytes(200_000)
    for line in lines_of(data[:70_000], data[70_000:]):
        assert clean(line) == line


# Events -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "line"),
    [
        ("run-started", {"run": "0001-x", "steps": 1}, Line("Run 0001-x: 1 step", "bold")),
        ("run-started", {"run": "1", "steps": 2, "to_version": "2"}, Line("Run 1, to version 2: 2 steps", "bold")),
        ("run-started", {"run": "1", "steps": 0, "from_version": "1", "to_version": "2"}, Line("Run 1, 1 -> 2: 0 steps", "bold")),
        ("run-continued", {"run": "1", "steps": 3}, Line("Run 1 continues: 3 steps to do", "bold")),
        ("phase-entered", {"phase": "all-up"}, Line("Phase all-up", "bold")),
        ("service-down", {"service": "db", "seconds": 1.0}, Line("  db is down (1.0 s)", "dim")),
        ("service-ready", {"service": "db", "seconds": 65}, Line("  db is ready (1 min 05 s)", "dim")),
        ("service-failed", {"service": "db", "reason": "gone"}, Line("  db: gone", "bad")),
        ("service-drifted", {"service": "db", "wanted": "up", "found": "gone", "after": "upgrade/0010_a"},
         Line("  db should be up but is not after upgrade/0010_a: gone", "bad")),
        ("service-drifted", {"service": "db", "wanted": "down", "found": "pid 5", "after": ""},
         Line("  db should be down but is not: pid 5", "bad")),
        ("step-ended", {"step": "upgrade/0010_a", "status": "done", "seconds": 2.5}, Line("  done   upgrade/0010_a (2.5 s)", "good")),
        ("step-ended", {"step": "a", "status": "not-applicable"}, Line("  n/a    a: does not apply here", "dim")),
        ("step-ended", {"step": "a", "status": "failed", "message": "exit status 1", "attempt": 2},
         Line("  FAILED a: exit status 1 (0.0 s, attempt 2)", "bad")),
        ("step-skipped", {"step": "0010", "reason": "why"}, Line("  skipped 0010: why", "dim")),
        ("interrupt", {"step": "a", "action": "after-step"}, Line("Stopping after a. Again: TERM to it; a third time: KILL.", "bad")),
        ("interrupt", {"step": "a", "action": "terminate"}, Line("TERM sent to a.", "bad")),
        ("interrupt", {"step": "a", "action": "kill"}, Line("KILL sent to a.", "bad")),
        ("note", {"text": "so"}, Line("  note: so")),
        ("answered", {"question": "0010", "by": "--accept", "answer": True}, Line("  consent to 0010 by --accept", "dim")),
        ("run-ended", {"outcome": "done", "downtime": 5.0}, Line("Upgrade done, downtime 5.0 s.", "good")),
        ("run-ended", {"outcome": "done"}, Line("Upgrade done.", "good")),
        ("run-ended", {"outcome": "done-with-losses", "losses": {"a": 1, "b": 2}},
         Line("Upgrade done, 1 lost in a, 2 lost in b.", "bad")),
        ("step-ended", {"step": "a", "status": "done", "seconds": 0.0, "losses": 2}, Line("  done   a (0.0 s), 2 lost", "bad")),
        ("step-reported", {"report": {"name": "made"}}, Line("  made")),
        ("step-reported", {"report": {"name": "made", "text": "it is made"}}, Line("  it is made")),
        ("step-reported", {"report": {"name": "made", "text": ["no text"]}}, Line("  made")),
        ("step-reported", {"report": {"name": "lost", "text": "x\x1b[2J is gone", "lost": True}}, Line("  x is gone", "bad")),
        ("run-ended", {"outcome": "refused"}, Line("Upgrade refused; nothing was stopped.", "bad")),
    ],
)  # fmt: skip
def test_an_event_in_words(name: str, fields: dict[str, object], line: Line) -> None:
    assert describe(event(name, **fields)) == line  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["services-found", "debt", "debt-paid", "history-recorded", "step-started", "run-stopped"]
)
def test_other_events_are_not_for_readers(name: str) -> None:
    assert describe(event(name)) is None


def test_the_routine_consent_is_not_worth_a_line() -> None:
    assert describe(event("answered", question="continue", by="--assumeyes")) is None


def test_words_of_services_and_commands_cannot_act_on_the_terminal() -> None:
    for name, field in (("service-failed", "reason"), ("note", "text"), ("service-drifted", "found")):
        line = describe(event(name, **{"service": "db", "wanted": "up", field: "\x1b[2J\x1b]0;x\x07red\x07"}))  # type: ignore[arg-type]
        assert line is not None
        assert line.text.endswith(f"red{GONE}")
        assert "\x1b" not in line.text


def test_what_a_step_left_running_is_a_line() -> None:
    ended = event(EventName.STEP_ENDED, step="a", left=["12 (sleep 60)", "13 (x)"])
    assert leftovers(ended) == Line("  note: a left running: 12 (sleep 60), 13 (x)", "bad")
    assert leftovers(event(EventName.STEP_ENDED, step="a", left=[])) is None
    assert leftovers(event(EventName.NOTE, text="x")) is None


def test_after_a_stop_the_state_and_the_way_on_are_told() -> None:
    stopped = event(
        "run-stopped", phase="backends-up", services={"db": "up", "web": "down"}, debts=["stopped:web"]
    )
    assert [line.text for line in after_stop(stopped, "orchestrator upgrade --config /x")] == [
        "The run stopped in phase backends-up; it is not finished.",
        "  services down:   web; up: db",
        "  continue with:   orchestrator upgrade --config /x",
        "  or only start what is down:   orchestrator recover --config /x",
    ]


def test_after_a_stop_before_any_phase_there_is_nothing_to_start() -> None:
    lines = after_stop(event("run-stopped", phase=None, services={}, debts=[]), "orchestrator upgrade")
    assert [line.text for line in lines] == [
        "The run stopped; it is not finished.",
        "  continue with:   orchestrator upgrade",
    ]
