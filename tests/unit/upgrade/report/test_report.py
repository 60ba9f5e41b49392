# SPDX-License-Identifier: GPL-3.0-or-later
"""From what lies on the disk to the facts of a report."""

import json
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report import Report, make_report, render_html, render_markdown
from orchestrator.upgrade.report.model import Consent, NotDue, Usual, Verdict
from tests.support.journals import Script, planned

A, B = "upgrade/3010_a.sh", "default/3020_b.sh"


def report_of(script: Script, directory: Path, plan: dict[str, object] | None = None) -> Report:
    """Its report, which all three renderings can be made of."""
    report = make_report(directory, script.save(directory, plan), product="Bookshelf")
    check(report)
    return report


def check(report: Report) -> str:
    page = render_html(report)
    parser = Strict()
    parser.feed(page)
    assert parser.open == []
    page.encode()
    render_markdown(report).encode()
    json.dumps(report.to_json()).encode()
    return page


class Strict(HTMLParser):
    """Every element is closed where it should be; nothing is loaded, nothing is run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "img", "object", "embed", "form", "base")
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert (value or "").startswith(("#", "data:,")), value
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# How it stands --------------------------------------------------------------------------------------


def test_a_run_that_is_done(tmp_path: Path) -> None:
    report = report_of(Script().begin().step(A, 4).end(), tmp_path, {"steps": [planned(A)]})
    assert (report.verdict, report.headline, report.exit_code) == (Verdict.DONE, "Done", 0)
    assert (report.product, report.host, report.user, report.invoker) == (
        "Bookshelf",
        "shelf",
        "root",
        "terminal",
    )
    assert (report.seconds, report.started, report.ended) == (
        4,
        "2026-11-20T10:15:00.000Z",
        "2026-11-20T10:15:04.000Z",
    )
    assert not report.left.actions


def test_a_step_that_failed(tmp_path: Path) -> None:
    script = (
        Script()
        .begin()
        .stop("web")
        .step(A, 4, "failed", message="exit status 3")
        .stopped(f"{A} failed: exit status 3")
    )
    report = report_of(script, tmp_path, {"steps": [planned(A), planned(B)]})
    assert (report.verdict, report.headline) == (Verdict.STOPPED, f"Failed at {A}")
    assert report.left.debts == ("web is stopped",)
    assert report.left.steps == (A, B)
    assert [action.command for action in report.left.actions] == [
        "orchestrator upgrade",
        "orchestrator recover",
    ]
    assert [step.status for step in report.steps] == ["failed", "not run"]
    assert report.still_down


@pytest.mark.parametrize(
    ("exit_code", "headline"),
    [
        (5, "Failed: service web"),
        (6, "Stopped: a question waits for an answer"),
        (75, f"Stopped: {B} asks to be tried again later"),
        (130, "Stopped on request"),
        (99, "Stopped"),
    ],
)
def test_a_run_that_stopped_says_for_what(tmp_path: Path, exit_code: int, headline: str) -> None:
    script = Script().begin().tell(EventName.SERVICE_FAILED, service="web", reason="503", log=["boom"])
    assert report_of(script.step(B, 1, "later").stopped("because", exit_code), tmp_path).headline == headline


def test_a_refusal_names_the_check(tmp_path: Path) -> None:
    script = (
        Script().begin().step("check/0010_room.sh", 1, "failed", message="exit status 1").end("refused", 4)
    )
    report = report_of(script, tmp_path, {"steps": [planned(A)]})
    assert (report.verdict, report.headline) == (Verdict.REFUSED, "Refused by check/0010_room.sh")
    assert report.reason.startswith("Nothing was stopped.")
    assert report.left.steps == (A,)


def test_a_refusal_by_the_backup_and_by_two_checks(tmp_path: Path) -> None:
    backup = Script("0001-20261120T101500Z").begin().step("backup", 1, "failed").end("refused", 4)
    assert report_of(backup, tmp_path).headline == "Refused: the backup failed"
    checks = (
        Script("0002-20261120T101500Z")
        .begin()
        .step("check/1_a.sh", 1, "failed")
        .step("check/2_b.sh", 1, "failed")
    )
    assert report_of(checks.end("refused", 4), tmp_path).headline == "Refused by 2 checks"


def test_a_run_that_died(tmp_path: Path) -> None:
    report = report_of(
        Script().begin().phase("backends-up").begin_step(A).after(3).tell(EventName.NOTE, text="x"), tmp_path
    )
    assert (report.verdict, report.headline) == (Verdict.DIED, f"Interrupted at {A}")
    assert report.steps[0].status == "interrupted"
    nothing = Script("0002-20261120T101500Z").begin()
    assert report_of(nothing, tmp_path).headline == "Interrupted before anything was stopped"


def test_losses_are_told(tmp_path: Path) -> None:
    script = Script().begin().begin_step(A)
    script.tell(
        EventName.STEP_REPORTED,
        step=A,
        attempt=1,
        number=1,
        report={"name": "lost", "text": "page 17", "lost": True},
    )
    script.tell(
        EventName.STEP_REPORTED, step=A, attempt=1, number=2, report={"name": "found", "text": "page 18"}
    )
    script.tell(EventName.STEP_ENDED, step=A, attempt=1, status="done", seconds=1, losses=1).end(
        "done-with-losses", 3
    )
    report = report_of(script, tmp_path)
    assert (report.verdict, report.steps[0].losses, report.steps[0].lost) == (Verdict.LOSSES, 1, ("page 17",))


def test_a_failure_that_is_no_reason_to_stop_is_left_to_do(tmp_path: Path) -> None:
    script = Script().begin().step(A, 1, "failed").step(B).end("done-with-failures", 3)
    report = report_of(script, tmp_path, {"steps": [planned(A), planned(B)]})
    assert report.headline == f"Done, but {A} failed"
    assert report.left.steps == (A,)


def test_only_the_newest_run_says_what_to_do(tmp_path: Path) -> None:
    old = Script().begin().step(A, 1, "failed").end("done-with-failures", 3)
    old.save(tmp_path)
    Script("0002-20261120T111500Z").begin().step(A).end().save(tmp_path)
    assert not report_of(old, tmp_path).left.actions


def test_a_run_that_was_recovered_owes_nothing(tmp_path: Path) -> None:
    script = (
        Script()
        .begin()
        .stop("web")
        .stopped("no")
        .after(9)
        .start("web")
        .tell(EventName.RECOVERED, paid=["stopped:web"])
    )
    report = report_of(script, tmp_path)
    assert (report.left.debts, report.still_down) == ((), False)
    assert [remark.kind for remark in report.remarks] == ["recovered"]
    assert [action.command for action in report.left.actions] == ["orchestrator upgrade"]


# Steps ----------------------------------------------------------------------------------------------


def test_durations_are_held_against_the_median_of_earlier_runs(tmp_path: Path) -> None:
    for number, seconds in enumerate((90, 40, 41, 39, 60, 20), 1):
        run = Script(f"{number:04}-20261119T101500Z").begin().step(B, seconds)
        (run.step(A, seconds, "failed").end("done-with-failures", 3) if number == 6 else run.end()).save(
            tmp_path
        )
    report = report_of(Script("0007-20261120T101500Z").begin().step(B, 92).step(A, 1).end(), tmp_path)
    step, other = report.steps
    assert step.usual == Usual(40, 5)
    assert step.factor == pytest.approx(2.3)
    assert other.usual is None  # a failure says nothing of how long it takes
    assert "2.3x the usual 40 s" in render_html(report)
    assert report.earlier_runs == 5


def test_without_earlier_runs_it_is_the_steps_own_estimate(tmp_path: Path) -> None:
    script = Script().begin().begin_step(A, expected=10.0).after(30)
    script.tell(EventName.STEP_ENDED, step=A, attempt=1, status="done", seconds=30.0).end()
    report = report_of(script, tmp_path)
    assert report.steps[0].usual == Usual(10, 0)
    assert "3.0x its estimate of 10 s" in render_html(report)


def test_later_runs_are_not_earlier_ones(tmp_path: Path) -> None:
    Script("0002-20261120T111500Z").begin().step(A, 5).end().save(tmp_path)
    assert report_of(Script().begin().step(A, 4).end(), tmp_path).steps[0].usual is None


def test_a_step_that_is_skipped_or_not_due_is_not_among_the_steps(tmp_path: Path) -> None:
    script = Script().begin().tell(EventName.STEP_SKIPPED, step="3020", reason="no time", by="ada")
    script.go_on().tell(EventName.STEP_SKIPPED, step="3020", reason="no time", by="ada").step(A).end()
    skipped = planned(B, due=False, reason="skipped by --skip")
    report = report_of(
        script,
        tmp_path,
        {"steps": [planned(A), skipped], "selection": {"only": [], "skip": {"3020": "no time"}}},
    )
    assert report.not_due == (NotDue(B, "skipped by --skip"),)
    assert [(remark.about, remark.text) for remark in report.remarks] == [("3020", "no time (by ada)")]
    assert report.selection == "without 3020"


def test_output_of_what_failed_is_shown_and_of_what_is_done_not(tmp_path: Path) -> None:
    script = Script().begin().step(A, 1, "failed").step(A, 1, attempt=2).step(B).end()
    run = script.save(tmp_path)
    for step, attempt in ((A, 1), (A, 2), (B, 1)):
        log = run.step_file(step, attempt, "log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{step} {attempt}\n")
    report = make_report(tmp_path, run)
    shown = [a.output.lines for step in report.steps for a in step.attempts if a.output]
    assert shown == [(f"{A} 1",)]
    assert "What failed on the way" in check(report)


def test_leftovers_drifts_and_interrupts_are_told(tmp_path: Path) -> None:
    script = Script().begin().begin_step(A)
    script.tell(EventName.INTERRUPT, step=A, action="terminate", unsafe=False)
    script.tell(EventName.STEP_ENDED, step=A, attempt=1, status="stopped", seconds=1, left=["812 (sleep 60)"])
    script.tell(EventName.SERVICE_DRIFTED, service="web", wanted="down", found="pid 7 lives", after=A)
    script.tell(EventName.RUN_RESTARTED).tell(EventName.NOTE, text="well")
    kinds = [remark.kind for remark in report_of(script.stopped("no", 130), tmp_path).remarks]
    assert kinds == ["interrupt", "left running", "drift", "begun anew", "note"]


# Consents -------------------------------------------------------------------------------------------


def test_a_consent_has_the_words_of_the_question(tmp_path: Path) -> None:
    script = Script().begin()
    script.tell(
        EventName.ANSWERED, question="3010", text="drops a table", answer=True, by="--accept", user="ada"
    )
    script.tell(EventName.ANSWERED, question="continue", answer=True, by="--assumeyes", user="ada")
    script.tell(EventName.ANSWERED, question="rerun-3010", answer=True, by="terminal", user="ada")
    report = report_of(script.end(), tmp_path, {"steps": [planned(A)]})
    assert report.consents[0] == Consent(
        "3010", "drops a table", True, "--accept", "ada", "2026-11-20T10:15:00.000Z"
    )
    assert [consent.text for consent in report.consents[1:]] == [
        "Go on?",
        f"run {A} again after an end nobody saw",
    ]


# What may be wrong with it --------------------------------------------------------------------------


def test_a_torn_journal_and_no_plan_are_no_obstacle(tmp_path: Path) -> None:
    run = Script().begin().step(A).save(tmp_path)
    with run.journal.open("ab") as stream:
        stream.write(
            b'{"seq": 9, "time": "2026-\xff\n\0\0\0\0\n{"event": "from-the-future", "seq": 1, "time": "", "mono": 1}\n{"se'
        )
    report = make_report(tmp_path, run)
    check(report)
    assert report.steps[0].status == "done"
    assert report.damaged == (
        "3 of the journal's lines cannot be read",
        f"there is no plan to read: {run.plan}",
    )


@pytest.mark.parametrize(
    "plan", ["", "[]", "{}", '{"steps": 7, "selection": [], "questions": {}}', '{"steps": [{"id": null}, 3]}']
)
def test_a_damaged_plan_is_no_obstacle(tmp_path: Path, plan: str) -> None:
    run = Script().begin().step(A).end().save(tmp_path)
    run.plan.write_text(plan)
    check(make_report(tmp_path, run))


def test_a_journal_without_its_beginning_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    script = Script().begin().after(1).step(A).end()
    del script.events[0]
    report = report_of(script, tmp_path)
    assert (report.run, report.verdict) == ("0001-20261120T101500Z", Verdict.DONE)
    empty = Script("0002-20261120T111500Z")
    assert report_of(empty, tmp_path).steps == ()


EVIL = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'`\x1b]0;x\x07\x1b[2J\u202e|\n# x\ud800"


def test_nothing_that_others_have_written_is_more_than_text(tmp_path: Path) -> None:
    script = Script().begin(
        user=EVIL, host=EVIL, product=EVIL, from_version=EVIL, to_version=EVIL, invoker=EVIL
    )
    script.found(EVIL).tell(EventName.ANSWERED, question=EVIL, text=EVIL, answer=True, by=EVIL, user=EVIL)
    script.phase(EVIL).tell(EventName.DEBT, kind="stopped", service=EVIL).tell(EventName.NOTE, text=EVIL)
    script.tell(EventName.SERVICE_FAILED, service=EVIL, reason=EVIL, log=[EVIL]).begin_step(
        f"upgrade/{EVIL[:20]}", phase=EVIL
    )
    script.tell(
        EventName.STEP_ENDED,
        step=f"upgrade/{EVIL[:20]}",
        attempt=1,
        status="failed",
        seconds=1,
        message=EVIL,
        left=[EVIL],
    )
    report = report_of(script.stopped(EVIL), tmp_path, {"steps": [planned(EVIL, name=EVIL)], "notes": [EVIL]})
    told = json.dumps(report.to_json())
    assert not any(text in told for text in ("\\u001b", "\\u202e", "\\ud800"))


def test_output_that_is_no_text_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    run = Script().begin().step(A, 1, "failed").stopped("no").save(tmp_path)
    log = run.step_file(A, 1, "log")
    log.parent.mkdir(parents=True)
    log.write_bytes(
        bytes(range(256)) * 4000 + b"\nthe end\n" + EVIL.encode("utf-8", "surrogatepass") + b"x" * 200_000
    )
    page = check(make_report(tmp_path, run))
    assert len(page) < 100_000


def test_two_thousand_steps_are_a_page_that_is_made_soon_and_can_be_opened(tmp_path: Path) -> None:
    steps = [f"upgrade/{number:04}_step_with_a_name.sh" for number in range(3000, 5000)]
    script = Script().begin()
    for step in steps:
        script.step(step, 0.5, "failed" if step.endswith("7.sh") else "done")
    run = script.stopped("no").save(tmp_path, {"steps": [planned(step) for step in steps]})
    began = time.monotonic()
    page = render_html(make_report(tmp_path, run))
    assert time.monotonic() - began < 10
    assert len(page) < 2_500_000
    assert page.count("<rect") < 500


def test_the_json_has_the_keys_that_are_documented(tmp_path: Path) -> None:
    document = report_of(Script().begin().found("web").step(A).end(), tmp_path).to_json()
    assert document["format"] == 1
    assert {
        "run",
        "verdict",
        "headline",
        "steps",
        "services",
        "left",
        "sessions",
        "gaps",
        "consents",
    } <= document.keys()
    assert document["verdict"] == "done"


def test_an_attempt_whose_end_nobody_recorded_is_seen_up_to_where_its_runner_was(tmp_path: Path) -> None:
    script = Script().begin().begin_step(A).after(30).tell(EventName.NOTE, text="x").reboot(600).go_on()
    first, second = report_of(script.step(A, 5, attempt=2).end(), tmp_path).steps[0].attempts
    assert (first.status, first.until) == ("interrupted", 30)
    assert (second.status, second.at) == ("done", 630)
