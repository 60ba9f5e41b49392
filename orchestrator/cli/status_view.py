# SPDX-License-Identifier: GPL-3.0-or-later
"""How it stands with upgrades, as lines for people. Pure."""

from collections.abc import Iterable
from datetime import datetime

from orchestrator.cli.layout import Entry
from orchestrator.cli.outlook import Left
from orchestrator.cli.status import Status
from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.lock import describe_holder

_BEGUN_BY = {
    "terminal": "at a terminal",
    "unattended": "unattended",
    "deb": "by a Debian package",
    "rpm": "by an RPM package",
}
_WIDTH = 11


def status_lines(status: Status) -> list[Line | Entry]:
    match status.state:
        case "running":
            lines = list(_running(status))
        case "unfinished":
            lines = list(_unfinished(status))
        case "idle":
            last = f"The last one, {status.run}, ended {status.ended}: {status.outcome}."
            lines = [Line(f"No run is under way. {last}")]
        case _:
            lines = [Line("No upgrade has run yet.")]
            if not status.request:
                lines.append(Line(f"begin with: {status.next}", "command"))
    return [*lines, *_request(status)]


def _entry(label: str, text: str, style: str = "") -> Entry:
    return Entry(f"  {label + ':':<{_WIDTH}}", text, style)


# Running ----------------------------------------------------------------------------------------------


def _running(status: Status) -> Iterable[Line | Entry]:
    if status.since is None:
        yield Line(f"{describe_holder(status.holder or {})} is under way.")
        return
    by = _BEGUN_BY.get(status.invoker or "", status.invoker or "")
    yield Line(
        f"Run {status.run} is under way (pid {status.pid}, {', '.join(filter(None, [status.user, by]))}, "
        f"since {status.since}).",
        "bold",
    )
    if status.unit:
        yield _entry("unit", status.unit)
    if status.stop is None:
        yield _entry("ended", f"{status.outcome or 'stopped'}; what is left is to tell others of it")
        return
    if status.phase:
        yield _entry("phase", f"{status.phase}, {status.steps_done} of {status.steps} steps are done")
    yield from _progress(status)
    yield _entry("run", f"for {show_duration(status.elapsed or 0.0)}{_expected_end(status)}")
    if status.services:
        yield _entry("services", _services(status))
    yield from _stop(status)


def _progress(status: Status) -> Iterable[Entry]:
    progress = status.progress
    if progress is None:
        return
    if progress["service"]:
        yield _entry("now", f"{progress['step']}, for {show_duration(progress['elapsed'])}")
        return
    number, total = progress["number"], progress["total"]
    place = f" ({number} of {total})" if total else ""
    usual = f", usually {show_duration(progress['expected'])}" if progress["expected"] else ""
    time = f"for {show_duration(progress['elapsed'])}{usual}"
    if status.far_over:
        time += ": far longer than usual"
    yield _entry("step", f"{progress['step']}{place}, {time}", "bad" if status.far_over else "")
    if progress["said"]:
        yield _entry("so far", progress["said"])
    if progress["quiet"] > 1:
        yield _entry("silent", f"for {show_duration(progress['quiet'])}")


def _expected_end(status: Status) -> str:
    if status.left is None or status.end is None:
        return ", nothing is known of its end"
    end = datetime.fromisoformat(status.end).astimezone()
    word = "not before" if status.left_at_least else "until about"
    return f", {Left(status.left, status.left_at_least)} left, {word} {end:%H:%M %Z}"


def _services(status: Status) -> str:
    held = {debt.partition(":")[2] for debt in status.debts if debt.startswith("held:")}
    by_state: dict[str, list[str]] = {}
    for name, state in status.services.items():
        by_state.setdefault("held down" if state == "down" and name in held else state, []).append(name)
    order = ("held down", "down", "failed", "stopping", "starting", "up")
    return "; ".join(f"{state}: {', '.join(by_state[state])}" for state in order if state in by_state)


def _stop(status: Status) -> Iterable[Line | Entry]:
    stop = status.stop
    if stop is None:
        return
    if stop.when == "asked":
        yield _entry("stopping", "it was asked to, and stops after the step")
        return
    down = [name for name, state in status.services.items() if state != "up"]
    after = f"; {', '.join(down)} would stay down" if down else ""
    match stop.when:
        case "now":
            text = "safe, nothing was stopped or changed yet"
        case "after-services":
            text = f"safe, it stops after the service that is on its way{after}"
        case _ if not stop.safe:
            text = f"not now: the step must not be interrupted; asked now, it stops after it{after}"
        case _:
            text = f"safe, it stops after this step{after}"
    yield _entry("stopping", text, "" if stop.safe else "bad")
    hint = "Ctrl-C where it runs, or " if stop.terminal else ""
    yield Line(f"  {'':<{_WIDTH}}{hint}{stop.command}", "command")


# Not running ------------------------------------------------------------------------------------------


def _unfinished(status: Status) -> Iterable[Line]:
    yield Line(
        f"Run {status.run} is unfinished"
        + (f", stopped in phase {status.phase}" if status.phase else "")
        + ".",
        "bad",
    )
    if status.reason:
        yield Line(f"  reason:          {status.reason}")
    else:
        yield Line("  it died without a word (killed, or the power went)")
    if status.in_flight:
        yield Line(f"  was running:     {status.in_flight}")
    if status.debts:
        yield Line(f"  still to undo:   {', '.join(status.debts)}")
    yield Line(f"  continue with:   {status.next}", "command")


def _request(status: Status) -> Iterable[Line | Entry]:
    """An upgrade that was asked for and has not run."""
    if status.request is None or status.state == "running":
        return
    asked, reason = status.request, status.request["reason"]
    yield Line(f"An upgrade was asked for by {asked['by']} at {asked['time']}.", "bold")
    if reason:
        yield _entry("waits", reason)
    if asked["at_boot"]:
        yield _entry("runs", "at the next boot")
    if status.next and status.state != "unfinished":
        yield Line(f"  {'now:':<{_WIDTH}}{status.next}", "command")
