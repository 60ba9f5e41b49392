# SPDX-License-Identifier: GPL-3.0-or-later
"""What else is worth telling of a run: consents, notes, drifts, skips, leftovers, interrupts. Pure."""

from collections.abc import Callable, Iterable

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.report.cleaning import Editor
from orchestrator.upgrade.report.elapsed import Axis
from orchestrator.upgrade.report.model import Consent, Remark
from orchestrator.upgrade.report.saved import SavedPlan

MOST_REMARKS = 300
_LINES_OF_A_SERVICE = 8


def consents(axis: Axis, plan: SavedPlan, edit: Editor) -> tuple[Consent, ...]:
    found = []
    for placed in axis.placed:
        event = placed.event
        if event.name is EventName.ANSWERED:
            question = str(event["question"])
            found.append(
                Consent(
                    question=edit.name(question),
                    text=edit.text(event.get("text") or _text_of(question, plan)),
                    answer=event.get("answer") is True,
                    by=edit.name(event.get("by", "")),
                    user=edit.name(event.get("user", "")),
                    time=event.time,
                )
            )
    return tuple(found)


def _text_of(question: str, plan: SavedPlan) -> str:
    """For journals that do not hold it: the saved plan's words, which may be those of what was left of the run."""
    if text := plan.questions.get(question):
        return text
    if question == "continue":
        return "Go on?"
    number = question.removeprefix("rerun-")
    step = next((name for name in plan.steps if name.rpartition("/")[2].startswith(f"{number}_")), "")
    if not step:
        return ""
    return f"run {step} again after an end nobody saw" if number != question else f"the risk of {step}"


def remarks(axis: Axis, edit: Editor) -> tuple[Remark, ...]:
    """In their order; each skip once, though every process that continues the run says it again."""
    found: list[Remark] = []
    seen: set[tuple[str, str]] = set()
    more = 0
    for placed in axis.placed:
        for kind, about, text in _tell(placed.event):
            if kind == "skipped" and (about, text) in seen:
                continue
            seen.add((about, text))
            if len(found) < MOST_REMARKS:
                remark = Remark(placed.at, placed.event.time, kind, edit.text(text), edit.name(about))
                found.append(remark)
            else:
                more += 1
    if more:
        last = found[-1]
        found.append(Remark(last.at, last.time, "note", f"{more} more are in the journal"))
    return tuple(found)


def _tell(event: Event) -> Iterable[tuple[str, str, str]]:
    """Kind, what it is about, text."""
    teller = _TELLERS.get(event.name)
    if teller and (told := teller(event)):
        yield told


def _drift(event: Event) -> tuple[str, str, str]:
    after = f" after {event['after']}" if event.get("after") else ""
    return "drift", event["service"], f"should be {event['wanted']} but was not{after}: {event['found']}"


def _service_failed(event: Event) -> tuple[str, str, str]:
    log = [str(line) for line in event.get("log") or ()][-_LINES_OF_A_SERVICE:]
    return "service failed", event["service"], "\n".join([str(event.get("reason", "")), *log])


def _interrupt(event: Event) -> tuple[str, str, str]:
    match event.get("action"):
        case "after-step":
            text = "asked to stop after this step"
        case "ask":
            text = "asked to stop; the step must not be interrupted, so it was asked once more"
        case "terminate":
            text = "TERM sent to it on request"
        case _:
            text = "KILL sent to it on request"
    return "interrupt", event["step"], text


def _left(event: Event) -> tuple[str, str, str] | None:
    left = event.get("left")
    return ("left running", event["step"], ", ".join(map(str, left))) if left else None


_TELLERS: dict[EventName, Callable[[Event], tuple[str, str, str] | None]] = {
    EventName.NOTE: lambda event: ("note", "", event["text"]),
    EventName.SERVICE_DRIFTED: _drift,
    EventName.SERVICE_FAILED: _service_failed,
    EventName.STEP_SKIPPED: lambda event: (
        "skipped",
        event["step"],
        f"{event.get('reason', '')} (by {event.get('by') or '?'})",
    ),
    EventName.STEP_ENDED: _left,
    EventName.INTERRUPT: _interrupt,
    EventName.RUN_RESTARTED: lambda _: ("begun anew", "", "steps that had finished run again"),
    EventName.RECOVERED: lambda event: ("recovered", "", ", ".join(map(str, event.get("paid") or ()))),
}
