# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator upgrade`."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import plan as plan_command
from orchestrator.cli.options import (
    ConfigOption,
    Output,
    OutputOption,
    WaitLockOption,
    WaitPackagesOption,
    read_setting,
    seconds_of,
    tell_waiting,
)
from orchestrator.cli.plan_view import plan_lines
from orchestrator.cli.terminal import ask_yes, can_ask, say
from orchestrator.errors import UsageError
from orchestrator.upgrade.consent import Answers, read_answers
from orchestrator.upgrade.plan import Plan, Question
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.situation import Selection

if TYPE_CHECKING:
    from orchestrator.upgrade.begin import UpgradeOptions
    from orchestrator.upgrade.detaching import Detached, EndedAtOnce

app = typer.Typer(add_completion=False)


class Invoker(StrEnum):
    """Who began a command that goes on in the background; it knows of no terminal any more."""

    TERMINAL = "terminal"
    UNATTENDED = "unattended"


@app.command()
def upgrade(
    config: ConfigOption = None,
    assume_yes: Annotated[
        bool, typer.Option("--assumeyes", "-y", help="Answer routine questions with yes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show the plan and change nothing.")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="ID", help="Consent to a named risk; may be repeated."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="YAML file: question id to yes or no.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Only these steps; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip", metavar="STEP", help="Not this step, this time; needs --reason; may be repeated."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why --skip; it is recorded.")] = "",
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin an unfinished run anew instead of continuing it.")
    ] = False,
    if_pending: Annotated[
        bool, typer.Option("--if-pending", help="Do nothing unless `orchestrator pending` says so.")
    ] = False,
    wait_lock: WaitLockOption = "",
    wait_packages: WaitPackagesOption = "",
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Ask here, then run in the background; see attach and status."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all output of the steps.")] = False,
    output: OutputOption = Output.AUTO,
    invoker: Annotated[Invoker | None, typer.Option("--invoker", hidden=True)] = None,
) -> None:
    """Run what is due, in the service state each phase promises; continue a run that did not end."""
    from orchestrator.cli.reporters import watching
    from orchestrator.upgrade.begin import Dialogue, UpgradeOptions, plan_to_json
    from orchestrator.upgrade.begin import upgrade as run_upgrade

    if skip and not reason.strip():
        raise UsageError("--skip needs --reason TEXT; it is recorded")
    options = UpgradeOptions(
        answers=Answers(assume_yes, tuple(accept or ()), read_answers(answers) if answers else {}),
        selection=Selection(tuple(only or ()), dict.fromkeys(skip or (), reason)),
        restart=restart,
        if_pending=if_pending,
        wait_lock=seconds_of(wait_lock),
        wait_packages=seconds_of(wait_packages),
        invoker=invoker or (Invoker.TERMINAL if can_ask() else Invoker.UNATTENDED),
    )
    if detach and dry_run:
        raise UsageError("--detach and --dry-run exclude each other: a plan needs no background")
    setting = read_setting(config, with_steps=True)
    if dry_run:
        plan_command.show(setting, options, output)
        return
    product = setting.config.product.name

    ask = _ask if can_ask() and output is not Output.JSON else None
    if detach:
        _detach(setting, options, output, ask)
        return

    with watching(output, verbose=verbose, continue_command=setting.command("upgrade")) as view:

        def show(plan: Plan) -> None:
            view.expect(plan_to_json(plan))
            if output is not Output.JSON:
                say(plan_lines(plan, product, everything=False), output)

        result = run_upgrade(setting, options, view, Dialogue(show, ask, tell_waiting))
    if result is None:
        if output is not Output.JSON:
            typer.echo("Nothing to do.")
        return
    raise typer.Exit(int(result.exit_code))


def _ask(question: Question) -> bool:
    return ask_yes(question.text, word="" if question.routine else "yes")


def _detach(
    setting: Setting, options: "UpgradeOptions", output: Output, ask: Callable[[Question], bool] | None
) -> None:
    """Start it in the background, and say how to get at it."""
    from orchestrator.cli.wording import Line
    from orchestrator.upgrade.begin import Dialogue
    from orchestrator.upgrade.detaching import EndedAtOnce, detach

    def show(plan: Plan) -> None:
        if output is not Output.JSON:
            say(plan_lines(plan, setting.config.product.name, everything=False), output)

    found = detach(setting, options, Dialogue(show, ask, tell_waiting), _words(setting, options))
    if output is Output.JSON:
        typer.echo(json.dumps(_document(found)))
    elif found is None:
        typer.echo("Nothing to do.")
    elif isinstance(found, EndedAtOnce):
        sys.stdout.write(found.words)
    else:
        by = f" as {found.unit}" if found.unit else f" (pid {found.pid})"
        lines = [
            Line(f"Run {found.run} goes on in the background{by}."),
            Line(f"  watch it:       {setting.command('attach')}", "command"),
            Line(f"  how it stands:  {setting.command('status')}", "command"),
        ]
        say(lines, output)
    if isinstance(found, EndedAtOnce):
        raise typer.Exit(found.exit_code)


def _document(found: "Detached | EndedAtOnce | None") -> dict[str, Any]:
    """One line for programs: what goes on, or how it ended already; `run` null: there was nothing to do."""
    if found is None:
        return {"run": None}
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(found).items()}


def _words(setting: Setting, options: "UpgradeOptions") -> list[str]:
    """The options for the background command; not the consent, which is settled here."""
    words = ["--config", str(setting.path), "--output", "plain", "--invoker", options.invoker]
    for pattern in options.selection.only:
        words += ["--only", pattern]
    for step, reason in options.selection.skip.items():
        words += ["--skip", step, "--reason", reason]
    flags = {"--restart": options.restart, "--if-pending": options.if_pending}
    words += [flag for flag, given in flags.items() if given]
    waits = {"--wait-lock": options.wait_lock, "--wait-packages": options.wait_packages}
    return words + [word for name, seconds in waits.items() if seconds for word in (name, f"{seconds:g}s")]
