# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator history ...`: what counts as done, and changing that, with reasons, on record."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, ReasonOption, read_setting

app = typer.Typer(no_args_is_help=True, help="Show and change which one-shot steps count as done.")

StepsArgument = Annotated[list[str], typer.Argument(metavar="STEP", help="File name or number of a step.")]


@app.command("list")
def list_history(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """List the steps that count as done, when and why."""
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.upgrade.history import read_history

    entries = read_history(read_setting(config).config.state_dir).entries.values()
    if output is Output.JSON:
        content = [
            {"name": e.name, "time": e.time, "sha256": e.sha256, "status": e.mark.value, **e.details}
            for e in entries
        ]
        show_json(content)
    elif not entries:
        typer.echo("The history is empty.")
    else:
        rows = [(e.name, e.time[:16].replace("T", " "), e.mark.value, _why(dict(e.details))) for e in entries]
        show_table(("step", "time (UTC)", "status", "details"), rows, output)


def _why(details: dict[str, str]) -> str:
    run = details.get("run", "").partition("-")[0]
    version = details.get("version", "")
    shown = [details.get("reason", ""), f"run {run}" if run else "", f"version {version}" if version else ""]
    return ", ".join(text for text in shown if text)


def _told(names: tuple[str, ...], what: str) -> None:
    for name in names:
        typer.echo(f"{name}: {what}")
    if not names:
        typer.echo("Nothing to change.")


@app.command("mark-done")
def mark_done(steps: StepsArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Record steps as done that were done by hand; they will not run."""
    from orchestrator.upgrade.history import Mark
    from orchestrator.upgrade.historychange import mark

    _told(mark(read_setting(config), steps, Mark.MARKED, reason), "counts as done")


@app.command()
def skip(steps: StepsArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Record that steps shall never run here."""
    from orchestrator.upgrade.history import Mark
    from orchestrator.upgrade.historychange import mark

    _told(mark(read_setting(config), steps, Mark.SKIPPED, reason), "will not run")


@app.command()
def redo(steps: StepsArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Make steps due again; the next upgrade runs them."""
    from orchestrator.upgrade.historychange import redo as make_due

    _told(make_due(read_setting(config), steps, reason), "is due again")


@app.command()
def forget(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names as `history list` shows them.")],
    reason: ReasonOption,
    config: ConfigOption = None,
) -> None:
    """Take lines out of the history, also of steps that exist no more."""
    from orchestrator.upgrade.historychange import forget as take_out

    _told(take_out(read_setting(config), names, reason), "is forgotten")


@app.command()
def baseline(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="GLOB", help="Only these steps (a package's own); may be repeated."),
    ] = None,
    reason: ReasonOption = "first install",
    config: ConfigOption = None,
) -> None:
    """After a first install: record every one-shot step that is due as not needed."""
    from orchestrator.upgrade.historychange import baseline as mark_all

    names = mark_all(read_setting(config), reason, only or ())
    typer.echo(f"{len(names)} step{'' if len(names) == 1 else 's'} recorded as not needed on this host")


@app.command("import")
def import_history(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A list of names, or another upgrade-history.")
    ],
    reason: ReasonOption,
    config: ConfigOption = None,
) -> None:
    """Take over what another tool, or another host's history, says is done."""
    from orchestrator.upgrade.historychange import import_file

    _told(import_file(read_setting(config), file, reason), "counts as done")
