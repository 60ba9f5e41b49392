# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands of `notify:` are told, how they are run, and what is remembered of it."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import Config, Notification, Product
from orchestrator.host import clock, facts
from orchestrator.upgrade import notice, notifying
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.notice import Moment, Past
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Outcome, RunState, fold
from orchestrator.upgrade.setting import Setting

RUN = "0003-20261120T101500Z"


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    config = Config(product=Product(name="Toy"), state_dir=tmp_path, scripts=(tmp_path,), phases=(tmp_path,))
    return Setting(config, tmp_path / "orchestrator.yaml", Registry())


def events(*named: tuple[EventName, dict[str, Any]]) -> list[Event]:
    return [
        Event(number, "2026-11-20T10:15:00.123Z", float(number), name, fields)
        for number, (name, fields) in enumerate(named, 1)
    ]


STARTED = (EventName.RUN_STARTED, {"run": RUN, "boot": "b", "to_version": "2.0"})
CONTINUED = (EventName.RUN_CONTINUED, {"boot": "b"})
STOPPED = (EventName.RUN_STOPPED, {"reason": "it failed", "exit_code": 1})
NOTE = (EventName.NOTE, {"text": "x"})
ENDED = (EventName.RUN_ENDED, {"outcome": "done", "exit_code": 0})


# Attempts at a run ------------------------------------------------------------------------------------


def test_each_beginning_of_a_run_ends_in_one_way() -> None:
    past = notice.attempts(events(STARTED, STOPPED, CONTINUED, NOTE, CONTINUED, ENDED, NOTE))
    assert past == [Past(Moment.FAILURE, 2), Past(Moment.FAILURE, 3, died=True), Past(Moment.END, 6)]


def test_a_journal_without_a_beginning_has_no_attempts() -> None:
    assert notice.attempts([]) == []
    assert notice.attempts(events(NOTE)) == []


def test_what_was_told_is_not_told_again(tmp_path: Path) -> None:
    past = [Past(Moment.FAILURE, 2), Past(Moment.FAILURE, 3, died=True)]
    assert notifying.untold(tmp_path, past) is None, "nothing was to be told of this run"
    notifying.record_told(tmp_path)
    assert notifying.untold(tmp_path, past) == past[1]
    notifying.record_told(tmp_path, Past(Moment.START, 3))
    assert notifying.untold(tmp_path, past) == past[1]
    notifying.record_told(tmp_path, past[1])
    assert notifying.untold(tmp_path, past) is None
    assert notifying.untold(tmp_path, []) is None


# The document -----------------------------------------------------------------------------------------


def of_run(setting: Setting, state: RunState, past: Past, clean: Any = str) -> dict[str, Any]:
    path = setting.config.state_dir / "runs" / RUN
    return notice.of_run(setting, RunDirectory(path), state, past, clean)


def test_every_moment_has_the_same_keys(setting: Setting) -> None:
    state = fold(events(STARTED, ENDED))
    told = [of_run(setting, state, Past(moment, 2)) for moment in (Moment.START, Moment.FAILURE, Moment.END)]
    told.append(notice.of_request(setting, Request("rpm", "why"), str))
    assert len({tuple(one) for one in told}) == 1
    assert [one["moment"] for one in told] == ["start", "failure", "end", "pending"]
    json.dumps(told)


@pytest.mark.parametrize(
    ("outcome", "words", "next_word"),
    [
        ("done", "is done after", None),
        ("done-with-failures", "is done, but steps failed after", "upgrade"),
        ("done-with-losses", "is done, with losses after", None),
        ("refused", "was refused; nothing was stopped after", "upgrade"),
    ],
)
def test_the_end_says_how_it_ended(setting: Setting, outcome: str, words: str, next_word: str | None) -> None:
    ended = (EventName.RUN_ENDED, {"outcome": outcome, "exit_code": 0})
    told = of_run(setting, fold(events(STARTED, ended)), Past(Moment.END, 2))
    assert words in told["summary"]
    assert told["outcome"] == Outcome(outcome)
    assert told["next"] == (next_word and setting.command(next_word))


def test_a_failure_says_why_and_how_to_go_on(setting: Setting) -> None:
    told = of_run(setting, fold(events(STARTED, STOPPED)), Past(Moment.FAILURE, 2))
    assert (told["reason"], told["exit_code"]) == ("it failed", 1)
    assert told["next"] == setting.command("upgrade")
    assert "the upgrade to 2.0 stopped after" in told["summary"]


@pytest.mark.parametrize(
    ("same_boot", "why"), [(True, "it was killed"), (False, "the host went down in mid-run")]
)
def test_a_death_is_told_by_what_is_known_of_it(setting: Setting, same_boot: bool, why: str) -> None:
    state = fold(events(STARTED))
    state.boot = facts.boot_id() if same_boot else "another"
    told = of_run(setting, state, Past(Moment.FAILURE, 1, died=True))
    assert (told["reason"], told["exit_code"]) == (why, None)


@pytest.mark.parametrize(("planned", "told"), [(None, 0.0), (0.0, None), (12.5, 12.5)])
def test_an_expected_downtime_is_told_as_the_plan_means_it(
    setting: Setting, planned: float | None, told: float | None
) -> None:
    directory = setting.config.state_dir / "runs" / RUN
    directory.mkdir(parents=True)
    (directory / "plan.json").write_text(json.dumps({"downtime": planned, "steps": []}))
    assert of_run(setting, fold(events(STARTED)), Past(Moment.START, 1))["expected_downtime"] == told


def test_a_summary_is_one_line_whatever_it_tells(setting: Setting) -> None:
    told = notice.of_request(setting, Request("rpm", "one\ntwo\x1b[31m"), str)
    assert told["summary"].isprintable()


def test_output_is_cleaned_as_a_whole_and_cut_into_lines() -> None:
    def clean(text: str) -> str:
        return text.replace("two\nlines", "***")

    told = notice.output_lines(["a \x1b[31mb", "c", "d" * 1000], clean)
    assert told == ["a  [31mb", "c", "d" * notice.LONGEST_LINE]
    assert notice.output_lines(["a two", "lines b"], clean) == ["a *** b"]


# Commands ---------------------------------------------------------------------------------------------


def shell(script: str, *at: str, timeout: float = 20.0) -> Notification:
    return Notification.model_validate(
        {"at": at or ("end",), "command": ["sh", "-c", script], "timeout": timeout}
    )


def test_the_commands_of_a_moment_run_side_by_side(tmp_path: Path) -> None:
    first = f"mkfifo {tmp_path}/pipe 2>/dev/null; read -r line <{tmp_path}/pipe"
    second = f"mkfifo {tmp_path}/pipe 2>/dev/null; echo >{tmp_path}/pipe"
    assert notifying.deliver([shell(first), shell(second), shell("exit 9", "start")], {"moment": "end"}) == []


def test_a_command_finds_the_document_and_the_moment_and_little_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    told = {"moment": "end", "text": "\u00fc"}
    script = f"cat >{tmp_path}/in; env >{tmp_path}/env; pwd >>{tmp_path}/env"
    assert notifying.deliver([shell(script)], told) == []
    assert json.loads((tmp_path / "in").read_text()) == told
    environment = (tmp_path / "env").read_text().splitlines()
    assert "ORCHESTRATOR_MOMENT=end" in environment
    assert environment[-1] == "/"
    assert not any(line.startswith("SECRET") for line in environment)


def test_what_goes_wrong_is_told_without_the_arguments() -> None:
    missing = Notification(at=("end",), command=("/nowhere/tell", "token"))
    failing = shell("echo no such channel >&2; exit 3")
    hanging = shell("sleep 60", timeout=0.2)
    problems = notifying.deliver([missing, failing, hanging], {"moment": "end"})
    assert sorted(problems) == [
        "notify (end): /nowhere/tell: exit status 127: /nowhere/tell: command not found",
        "notify (end): sh: exit status 124: no end within 0.2 s",
        "notify (end): sh: exit status 3: no such channel",
    ]


# The thread -------------------------------------------------------------------------------------------


def test_one_moment_is_told_after_the_other(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    notes: list[str] = []
    teller = notifying.Teller(
        [shell(f"sleep 0.2; echo start >>{trace}", "start"), shell(f"echo end >>{trace}", "end")],
        notes.append,
    )
    began = clock.monotonic()
    teller.tell({"moment": "start"}, lambda: None)
    teller.tell({"moment": "end"}, lambda: None)
    assert clock.monotonic() - began < 0.1, "to tell costs the caller nothing"
    teller.leave(give_up=lambda: False)
    assert trace.read_text().split() == ["start", "end"]
    assert notes == []


def test_it_is_recorded_when_the_commands_have_ended_however() -> None:
    told = threading.Event()
    notes: list[str] = []
    teller = notifying.Teller([shell("exit 1")], notes.append)
    teller.tell({"moment": "end"}, told.set)
    teller.leave(give_up=lambda: False)
    assert told.is_set()
    assert notes == ["notify (end): sh: exit status 1"]


def test_whoever_has_left_hears_no_more() -> None:
    notes: list[str] = []
    teller = notifying.Teller([shell("sleep 0.3; exit 1")], notes.append)
    teller.tell({"moment": "end"}, lambda: None)
    thread = teller._thread
    assert thread is not None
    teller.leave(give_up=lambda: True)
    thread.join(20)
    assert notes == []


def test_a_record_that_cannot_be_written_is_a_problem() -> None:
    def told() -> None:
        raise OSError(28, "No space left on device", "notified.json")

    notes: list[str] = []
    teller = notifying.Teller([], notes.append)
    teller.tell({"moment": "end"}, told)
    teller.leave(give_up=lambda: False)
    assert notes == ["notify: notified.json: No space left on device"]
