# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator status`: is a run under way, where is it, is one unfinished, what to do."""

from dataclasses import asdict, dataclass
from typing import Any

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.setting import Setting

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Status:
    """`state` is idle, running, unfinished, or never (no run yet)."""

    state: str
    run: str | None = None
    holder: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    phase: str | None = None
    reason: str = ""
    failed: tuple[str, ...] = ()
    in_flight: str | None = None
    debts: tuple[str, ...] = ()
    outcome: str | None = None
    ended: str | None = None
    next: str | None = None


@app.command()
def status(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Tell what runs now, what is unfinished, and which command goes on."""
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.cli.wording import Line

    found = read(read_setting(config))
    if output is Output.JSON:
        show_json(asdict(found))
    else:
        say([Line(text, "command" if found.next and found.next in text else "") for text in lines(found)])


def read(setting: Setting) -> Status:
    from orchestrator.upgrade import lock, statusfile
    from orchestrator.upgrade.runs import list_runs, unfinished_run

    state_dir = setting.config.state_dir
    runs = list_runs(state_dir)
    if lock.is_held(state_dir):
        holder = lock.read_holder(state_dir)
        return Status("running", holder.get("run"), holder, statusfile.read_status(state_dir))
    if not runs:
        return Status("never", next=setting.command("upgrade"))
    current = unfinished_run(state_dir)
    if current is None:
        last = runs[-1].state()
        return Status("idle", runs[-1].id, outcome=last.outcome, ended=last.ended)
    run, state = current
    return Status(
        "unfinished",
        run.id,
        phase=state.phase,
        reason=state.stop_reason,
        failed=tuple(attempt.step for attempt in state.failures),
        in_flight=state.in_flight.step if state.in_flight else None,
        debts=tuple(sorted(state.debts)),
        next=setting.command("upgrade"),
    )


def lines(status: Status) -> list[str]:
    """The status for people. Pure."""
    match status.state:
        case "never":
            return ["No upgrade has run yet.", f"begin with: {status.next}"]
        case "idle":
            return [
                f"No run is under way. The last one, {status.run}, ended {status.ended}: {status.outcome}."
            ]
        case "running":
            return _running(status)
    told = [
        f"Run {status.run} is unfinished"
        + (f", stopped in phase {status.phase}" if status.phase else "")
        + "."
    ]
    if status.reason:
        told.append(f"  reason:          {status.reason}")
    else:
        told.append("  it died without a word (killed, or the power went)")
    if status.in_flight:
        told.append(f"  was running:     {status.in_flight}")
    if status.debts:
        told.append(f"  still to undo:   {', '.join(status.debts)}")
    return [*told, f"  continue with:   {status.next}"]


def _running(status: Status) -> list[str]:
    from orchestrator.cli.wording import clean
    from orchestrator.upgrade.lock import describe_holder

    told = [f"{describe_holder(status.holder or {})} is under way."]
    progress = status.progress
    if progress:
        told.append(f"  phase:   {progress['phase']}")
        told.append(f"  step:    {progress['step']} ({progress['number']} of {progress['total']})")
        if progress.get("said"):
            told.append(f"  so far:  {clean(progress['said'])}")
        told.append(f"  for:     {show_duration(progress['elapsed'])}")
        if progress["quiet"] > 1:
            told.append(f"  silent:  {show_duration(progress['quiet'])}")
    return told
