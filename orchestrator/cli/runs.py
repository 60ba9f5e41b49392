# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs ...`: the record of earlier runs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import runs_bundle, runs_report
from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.cli.wording import describe, leftovers, stopped
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.upgrade.runs import RunDirectory
    from orchestrator.upgrade.runstate import RunState

app = typer.Typer(no_args_is_help=True, help="Show earlier runs, their steps and logs.")
app.command("report")(runs_report.report)
app.command("bundle")(runs_bundle.bundle)

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Id or number of a run; `last` is the newest.")
]


@app.command("list")
def list_all(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """List all runs, oldest first."""
    from orchestrator.cli.runs_view import list_rows
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.upgrade.runs import list_runs

    runs = [(run, run.state()) for run in list_runs(read_setting(config).config.state_dir)]
    if output is Output.JSON:
        show_json([_summary(run, state) for run, state in runs])
    elif not runs:
        typer.echo("No run yet.")
    else:
        rows = list_rows([(run.id, state) for run, state in runs], sys.stdout.encoding)
        show_table(("run", "version", "outcome", "steps", "downtime", ""), rows, output)


def _summary(run: "RunDirectory", state: "RunState") -> dict[str, Any]:
    return {
        "run": run.id,
        "started": state.started,
        "ended": state.ended or None,
        "user": state.user,
        "invoker": state.invoker,
        "from_version": state.from_version,
        "to_version": state.to_version,
        "outcome": state.outcome or "unfinished",
        "exit_code": state.exit_code,
        "reason": state.stop_reason,
        "downtime": state.downtime,
        "continued": state.continued,
        "debts": sorted(state.debts),
        "directory": str(run.path),
        "steps": [
            {
                "step": a.step,
                "attempt": a.number,
                "time": a.time,
                "status": a.status or "running",
                "seconds": a.seconds,
                "message": a.message,
                "losses": a.losses,
            }
            for attempts in state.attempts.values()
            for a in attempts
        ],
    }


@app.command()
def show(run: RunArgument = "last", config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Show what a run did: phases, services, every attempt at every step."""
    from orchestrator.cli.runs_view import course, course_rows, ending, heading
    from orchestrator.cli.terminal import say, show_json, show_table
    from orchestrator.upgrade import lock
    from orchestrator.upgrade.journal import read_journal
    from orchestrator.upgrade.runs import find_run

    state_dir = read_setting(config).config.state_dir
    directory = find_run(state_dir, run)
    state = directory.state()
    if output is Output.JSON:
        events = [
            {"time": e.time, "event": e.name.value, **e.fields} for e in read_journal(directory.journal)
        ]
        show_json({**_summary(directory, state), "events": events})
        return
    running = lock.is_held(state_dir) and lock.read_holder(state_dir).get("run") == directory.id
    journal = list(read_journal(directory.journal))
    say(heading(directory.id, state, journal, running=running), output)
    rows = course(journal)
    if rows:
        styles = [row.style for row in rows]
        show_table(("time", "status", "took", "what"), course_rows(rows), output, styles)
    say(ending(state), output)


@app.command()
def log(
    run: RunArgument = "last",
    step: Annotated[
        str, typer.Argument(metavar="STEP", help="A step's name or number; else the events.")
    ] = "",
    attempt: Annotated[int, typer.Option("--attempt", metavar="N", help="Which attempt; else the last.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Show a run's events with their times, or the output of one of its steps."""
    from orchestrator.cli.layout import Entry
    from orchestrator.cli.terminal import say
    from orchestrator.upgrade.journal import read_journal
    from orchestrator.upgrade.runs import find_run

    directory = find_run(read_setting(config).config.state_dir, run)
    if step:
        _show_step_log(directory, step, attempt)
        return
    say(
        Entry(f"{event.time[11:23]}  ", line.text, line.style)
        for event in read_journal(directory.journal)
        for line in (describe(event), leftovers(event), stopped(event))
        if line
    )


def _show_step_log(directory: "RunDirectory", wanted: str, attempt: int) -> None:
    """Copy the log to stdout, as bytes: it may be large and is not ours to judge."""
    import shutil

    state = directory.state()
    names = [name for name in state.attempts if _means(wanted, name)]
    if len(names) != 1:
        known = ", ".join(names or state.attempts)
        what = "no step" if not names else "more than one step"
        raise UsageError(f"{what} of run {directory.id} is called {wanted}", hint=f"one of: {known}")
    number = attempt or state.attempts[names[0]][-1].number
    path = directory.step_file(names[0], number, "log")
    try:
        with path.open("rb") as stream:
            sys.stdout.flush()
            shutil.copyfileobj(stream, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except OSError as error:
        raise UsageError(
            f"there is no log of attempt {number} at {names[0]}: {path}: {error.strerror}"
        ) from None


def _means(wanted: str, name: str) -> bool:
    file = name.rpartition("/")[2]
    return wanted in (name, file) or (wanted.isdecimal() and file.startswith(f"{int(wanted):04}_"))
