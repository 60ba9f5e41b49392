# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator upgrade`."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import plan as plan_command
from orchestrator.cli.options import (
    ConfigOption,
    Output,
    OutputOption,
    WaitLockOption,
    read_setting,
    seconds_of,
    tell_waiting,
)
from orchestrator.cli.plan_view import plan_lines
from orchestrator.cli.terminal import ask_yes, can_ask, say
from orchestrator.errors import UsageError
from orchestrator.upgrade.consent import Answers, read_answers
from orchestrator.upgrade.plan import Plan, Question
from orchestrator.upgrade.situation import Selection

app = typer.Typer(add_completion=False)


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
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all output of the steps.")] = False,
    output: OutputOption = Output.AUTO,
) -> None:
    """Run what is due, in the service state each phase promises; continue a run that did not end."""
    from orchestrator.cli.reporters import watching
    from orchestrator.upgrade.begin import Dialogue, UpgradeOptions
    from orchestrator.upgrade.begin import upgrade as run_upgrade

    if skip and not reason.strip():
        raise UsageError("--skip needs --reason TEXT; it is recorded")
    options = UpgradeOptions(
        answers=Answers(assume_yes, tuple(accept or ()), read_answers(answers) if answers else {}),
        selection=Selection(tuple(only or ()), dict.fromkeys(skip or (), reason)),
        restart=restart,
        if_pending=if_pending,
        wait_lock=seconds_of(wait_lock),
        invoker="terminal" if can_ask() else "unattended",
    )
    setting = read_setting(config, with_steps=True)
    if dry_run:
        plan_command.show(setting, options, output)
        return
    product = setting.config.product.name

    ask = _ask if can_ask() and output is not Output.JSON else None

    with watching(output, verbose=verbose, continue_command=setting.command("upgrade")) as view:

        def show(plan: Plan) -> None:
            view.expect(plan)
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
