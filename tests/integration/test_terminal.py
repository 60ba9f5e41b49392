# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: real terminals of 40, 80 and 160 columns, resized in mid-run, asked questions, or absent."""

import json

import pytest

from tests.support.stack import Stack, wait_for_step
from tests.support.tmux import Screen, on_screen

WIDTHS = [40, 80, 160]
LONG = "the title of this step is longer than any narrow terminal and has to go on in the next line"


@pytest.fixture
def long(stack: Stack) -> Stack:
    """Steps with long names, which print long lines until the file `go` appears."""
    until_go = f"while [ ! -e {stack.directory}/go ]; do sleep 0.05; done"
    talk = 'for i in 1 2 3 4 5 6 7 8 9; do echo "working on part $i of 9 with $(seq -s, 40)"; done'
    for name in ("0010_migrate_the_database_of_packages.sh", "3010_convert_everything_else.sh"):
        path = stack.step(f"upgrade/{name}", f"{talk}; {until_go}", "#estimate: 90s")
        path.write_text(path.read_text().replace("#name: Step", f"#name: {LONG}"))
    stack.start_services()
    return stack


def assert_nothing_is_wider(screen: Screen, columns: int) -> None:
    """Only commands may be, which are there to be copied."""
    for line in screen.lines(unfolded=True):
        assert len(line) <= columns or "orchestrator upgrade --config" in line, line


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_live_view_fits_the_terminal(long: Stack, columns: int) -> None:
    with on_screen(long.argv("upgrade", "-y"), long.environment(), columns=columns) as screen:
        screen.expect("part 9 of 9")
        below = screen.lines()[-7:]
        assert below[0].startswith("\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 12), "a bar"
        assert "0/2 backends-down" in below[0]
        assert columns == 40 or "about" in below[0], "the time that is left"
        assert below[1].startswith("upgrade/0010")
        assert columns == 40 or " s, about 1 min " in below[1], "the time that is left of the step"
        assert [line[:21] for line in below[2:]] == [f"  | working on part {i}" for i in range(5, 10)]
        assert_nothing_is_wider(screen, columns)
        (long.directory / "go").touch()
        assert screen.ended() == 0
        text = screen.text()
        assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in text, "bar and output are gone"
        assert "working on" not in text
        assert "Upgrade done, downtime" in text
        assert screen.cursor_is_visible
        assert_nothing_is_wider(screen, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_failure_fits_the_terminal_and_leaves_it_as_it_was(long: Stack, columns: int) -> None:
    long.step("upgrade/0010_migrate_the_database_of_packages.sh", "exit 1")
    with on_screen(long.argv("upgrade", "-y"), long.environment(), columns=columns) as screen:
        assert screen.ended() == 1
        assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in screen.text()
        lines = screen.lines(unfolded=True)
        assert f"  continue with:   orchestrator upgrade --config {long.file}" in lines, "whole, to be copied"
        assert screen.cursor_is_visible


def test_a_terminal_may_be_resized_in_mid_run(long: Stack) -> None:
    with on_screen(long.argv("upgrade", "-y"), long.environment(), columns=120) as screen:
        screen.expect("part 9 of 9")
        for columns in (60, 160, 50):
            screen.resize(columns, 50)
            screen.expect("\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 12)
        (long.directory / "go").touch()
        assert screen.ended() == 0
        assert "done   upgrade/0010_migrate" in screen.text()
        assert "Upgrade done, downtime" in screen.text()
        assert screen.cursor_is_visible


@pytest.mark.parametrize("size", [(80, 4), (20, 10), (1, 1)])
def test_a_tiny_terminal_is_no_obstacle(long: Stack, size: tuple[int, int]) -> None:
    (long.directory / "go").touch()
    columns, lines = size
    with on_screen(long.argv("upgrade", "-y"), long.environment(), columns=columns, lines=lines) as screen:
        wait_for_step(long, "3010")
        screen.resize(80, 30)
        assert screen.ended() == 0


def test_with_verbose_all_output_scrolls_by(long: Stack) -> None:
    (long.directory / "go").touch()
    with on_screen(long.argv("upgrade", "-y", "-v"), long.environment(), columns=80, lines=100) as screen:
        assert screen.ended() == 0
        text = screen.text()
        assert [text.count(f"  | working on part {i} of 9") for i in range(1, 10)] == [2] * 9
        assert_nothing_is_wider(screen, 80)


def test_the_plan_stands_above_the_question_and_typing_y_answers_it(long: Stack) -> None:
    (long.directory / "go").touch()
    with on_screen(long.argv("upgrade"), long.environment(), columns=60) as screen:
        screen.expect("Go on? [y/N]")
        lines = screen.lines(unfolded=True)
        assert lines[-1] == "Go on? [y/N]"
        assert "  stop   web, db" in lines
        assert "  --- point of no return ---" in lines
        assert_nothing_is_wider(screen, 60)
        screen.type("y", "Enter")
        assert screen.ended() == 0
    assert long.ran() == ["0010", "3010"]


def test_waiting_for_services_shows_what_is_waited_for(stack: Stack) -> None:
    web = stack.config["services"]["web"]
    web["command"], web["ready_timeout"] = ["/bin/sleep", "100"], "3s"
    stack.save()
    stack.step("upgrade/6010_a.sh")
    with on_screen(stack.argv("upgrade", "-y"), stack.environment()) as screen:
        screen.expect("starting web  1.")
        assert "  | web: 127.0.0.1:" in screen.text()
        assert screen.ended() == 5


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_view_fits_the_terminal(long: Stack, columns: int) -> None:
    reason = "a reason that is so long that it cannot stand in a column beside the others in any way"
    (long.directory / "go").touch()
    long.run("history", "skip", "0010", "--reason", reason).expect(0)
    long.step("upgrade/3010_convert_everything_else.sh", "echo no; exit 1")
    long.run("upgrade", "-y").expect(1)
    views = ["plan", "pending", "status", "check"]
    views += ["runs list", "runs show", "runs log", "services list", "history list", "scripts list"]
    command = "; ".join(f"{' '.join(long.argv())} {words}" for words in views)
    with on_screen(["/bin/sh", "-c", command], long.environment(), columns=columns, lines=200) as screen:
        screen.ended()
        assert_nothing_is_wider(screen, columns)
        words = " ".join(screen.text().split())
        assert reason in words, "folded, not cut"
        assert LONG in words


# Without a terminal -----------------------------------------------------------------------------------------


def test_in_a_pipe_there_are_plain_lines(long: Stack) -> None:
    (long.directory / "go").touch()
    out = long.run("upgrade", "-y").expect(0).out
    assert "\x1b" not in out
    assert "\r" not in out
    assert (
        f"0010_migrate_the_database_of_packages.sh: working on part 9 of 9 with {','.join(map(str, range(1, 41)))}"
        in out
    )
    assert any(line.endswith(f"{LONG} 0010") for line in out.splitlines()), "nothing is folded"
    for words in (["plan"], ["runs", "show"], ["history", "list"], ["services", "list"]):
        assert "\x1b" not in long.run(*words).expect(0).out


def test_plain_may_be_asked_for_on_a_terminal_and_rich_in_a_pipe(long: Stack) -> None:
    (long.directory / "go").touch()
    with on_screen(long.argv("upgrade", "-y", "-o", "plain"), long.environment(), columns=160) as screen:
        assert screen.ended() == 0
        assert "0010_migrate_the_database_of_packages.sh: working on part 9" in screen.text()
        assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in screen.text()
    long.run("history", "redo", "0010", "--reason", "x").expect(0)
    assert "\x1b[" in long.run("upgrade", "-y", "-o", "rich").expect(0).out


def test_json_is_one_event_a_line_also_on_a_terminal(long: Stack) -> None:
    (long.directory / "go").touch()
    with on_screen(long.argv("upgrade", "-y", "-o", "json"), long.environment(), columns=160) as screen:
        assert screen.ended() == 0
        *lines, _ = screen.lines(unfolded=True)
    assert [json.loads(line) for line in lines] == long.journal()
