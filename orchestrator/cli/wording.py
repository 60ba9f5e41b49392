# SPDX-License-Identifier: GPL-3.0-or-later
"""Events in words: one line an event, for plain output, the live view, and `runs show`. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName

# Escape sequences and control characters of a step's output would act on the reader's terminal.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SPECIAL = re.compile(rb"[^\n -~]")
LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """`style` is good, bad, dim, bold, command (which is never folded) or empty."""

    text: str
    style: str = ""


def clean(text: str) -> str:
    """`text` without anything a terminal would act on."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", text).expandtabs())


class LineSplitter:
    """Bytes in pieces to clean lines; a line that never ends is cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_return = False

    def feed(self, data: bytes) -> list[str]:
        added = data.removeprefix(b"\n") if self._after_return else data  # the second half of a line end
        self._after_return = data.endswith(b"\r") if data else self._after_return
        whole = self._rest + added
        pieces = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = pieces.pop()
        if len(self._rest) > LONGEST_LINE:
            pieces.append(self._rest)
            self._rest = b""
        if pieces and not _SPECIAL.search(whole) and max(map(len, pieces)) <= LONGEST_LINE:
            # Nothing to clean: a flood of short lines is taken as a whole.
            return b"\n".join(pieces).decode("ascii").split("\n")
        return [self._text(piece) for piece in pieces]

    def flush(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [self._text(rest)] if rest else []

    @staticmethod
    def _text(piece: bytes) -> str:
        if len(piece) > LONGEST_LINE:
            piece = piece[:LONGEST_LINE] + b" ..."
        return clean(piece.decode("utf-8", "replace"))


def describe(event: Event) -> Line | None:
    """The line for an event; None when it is of no interest to a reader."""
    teller = _TELLERS.get(event.name)
    line = teller(event) if teller else None
    # Reasons hold what services and commands have said.
    return Line(clean(line.text), line.style) if line else None


def _versions(event: Event) -> str:
    before, after = event.get("from_version"), event.get("to_version")
    if after is None:
        return ""
    return f", to version {after}" if before in (None, after) else f", {before} -> {after}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _run_started(event: Event) -> Line:
    return Line(f"Run {event['run']}{_versions(event)}: {_plural(event['steps'], 'step')}", "bold")


def _run_continued(event: Event) -> Line:
    return Line(
        f"Run {event['run']} continues{_versions(event)}: {_plural(event['steps'], 'step')} to do", "bold"
    )


def _phase(event: Event) -> Line:
    return Line(f"Phase {event['phase']}", "bold")


def _service_down(event: Event) -> Line:
    return Line(f"  {event['service']} is down ({show_duration(event['seconds'])})", "dim")


def _service_ready(event: Event) -> Line:
    return Line(f"  {event['service']} is ready ({show_duration(event['seconds'])})", "dim")


def _service_failed(event: Event) -> Line:
    return Line(f"  {event['service']}: {event['reason']}", "bad")


def _drifted(event: Event) -> Line:
    after = f" after {event['after']}" if event.get("after") else ""
    return Line(
        f"  {event['service']} should be {event['wanted']} but is not{after}: {event['found']}", "bad"
    )


def _step_ended(event: Event) -> Line:
    status, step = event["status"], event["step"]
    took = show_duration(event.get("seconds", 0.0))
    if status == "done":
        lost = event.get("losses")
        return Line(
            f"  done   {step} ({took})" + (f", {lost} lost" if lost else ""), "bad" if lost else "good"
        )
    if status == "not-applicable":
        return Line(f"  n/a    {step}: does not apply here", "dim")
    attempt = f", attempt {event['attempt']}" if event.get("attempt", 1) > 1 else ""
    return Line(f"  FAILED {step}: {event['message']} ({took}{attempt})", "bad")


def _step_reported(event: Event) -> Line:
    report = event["report"]
    text = report.get("text")
    return Line(
        f"  {text if isinstance(text, str) and text else report['name']}",
        "bad" if report.get("lost") is True else "",
    )


def _interrupt(event: Event) -> Line:
    step = event["step"]
    match event["action"]:
        case "after-step":
            again = (
                "asks whether to end it all the same"
                if event.get("unsafe")
                else "TERM to it; a third time: KILL"
            )
            text = f"Stopping after {step}. Again: {again}."
        case "ask":
            text = f"{step} says that it must not be interrupted. Press once more to TERM it all the same."
        case "terminate":
            text = f"TERM sent to {step}."
        case _:
            text = f"KILL sent to {step}."
    return Line(text, "bad")


def _answered(event: Event) -> Line | None:
    if event["question"] == "continue":
        return None
    return Line(f"  consent to {event['question']} by {event['by']}", "dim")


def _lost(event: Event) -> str:
    return "".join(f", {number} lost in {step}" for step, number in event.get("losses", {}).items())


def _ended(event: Event) -> Line:
    downtime = f", downtime {show_duration(event['downtime'])}" if event.get("downtime") else ""
    match event["outcome"]:
        case "done":
            return Line(f"Upgrade done{downtime}.", "good")
        case "done-with-failures":
            return Line(
                f"Upgrade done, but steps failed that say on-failure: continue{_lost(event)}{downtime}.",
                "bad",
            )
        case "done-with-losses":
            return Line(f"Upgrade done{_lost(event)}{downtime}.", "bad")
    return Line("Upgrade refused; nothing was stopped.", "bad")


_TELLERS: dict[EventName, Callable[[Event], Line | None]] = {
    EventName.RUN_STARTED: _run_started,
    EventName.RUN_CONTINUED: _run_continued,
    EventName.RUN_RESTARTED: lambda _: Line("Begun anew: finished steps run again", "bold"),
    EventName.PHASE_ENTERED: _phase,
    EventName.ANSWERED: _answered,
    EventName.SERVICE_STOPPING: lambda event: Line(f"  stopping {event['service']}", "dim"),
    EventName.SERVICE_DOWN: _service_down,
    EventName.SERVICE_STARTING: lambda event: Line(f"  starting {event['service']}", "dim"),
    EventName.SERVICE_READY: _service_ready,
    EventName.SERVICE_FAILED: _service_failed,
    EventName.SERVICE_DRIFTED: _drifted,
    EventName.STEP_REPORTED: _step_reported,
    EventName.STEP_ENDED: _step_ended,
    EventName.STEP_SKIPPED: lambda event: Line(f"  skipped {event['step']}: {event['reason']}", "dim"),
    EventName.INTERRUPT: _interrupt,
    EventName.NOTE: lambda event: Line(f"  note: {event['text']}"),
    EventName.RECOVERED: lambda event: Line("Recovered: " + ", ".join(event["paid"]), "good"),
    EventName.RUN_ENDED: _ended,
}


def leftovers(event: Event) -> Line | None:
    """What a step left running, when it did."""
    if event.name is EventName.STEP_ENDED and event.get("left"):
        return Line(clean(f"  note: {event['step']} left running: {', '.join(event['left'])}"), "bad")
    return None


def stopped(event: Event) -> Line | None:
    """Why a run stopped there, for its record; while it happens `after_stop` says more."""
    if event.name is EventName.RUN_STOPPED:
        return Line(clean(f"stopped: {event['reason']}"), "bad")
    return None


def after_stop(event: Event, command: str) -> list[Line]:
    """Why a run stopped, in what state everything is, and how to go on."""
    services = event.get("services", {})
    up = [name for name, state in services.items() if state == "up"]
    down = [name for name, state in services.items() if state == "down"]
    where = f" in phase {event['phase']}" if event.get("phase") else ""
    lines = [Line(f"The run stopped{where}; it is not finished.", "bad")]
    if services:
        lines.append(Line(f"  services down:   {', '.join(down) or 'none'}; up: {', '.join(up) or 'none'}"))
    lines.append(Line(f"  continue with:   {command}", "command"))
    if event.get("debts"):
        recover = command.replace("orchestrator upgrade", "orchestrator recover", 1)
        lines.append(Line(f"  or only start what is down:   {recover}", "command"))
    return lines
