# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator pending`: is there something to do? For package hooks and ExecCondition=, so it must start fast."""

from typing import Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting

app = typer.Typer(add_completion=False)


@app.command()
def pending(
    config: ConfigOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing; the exit status is the answer.")
    ] = False,
    output: OutputOption = Output.AUTO,
) -> None:
    """Exit 1 when one-shot or changed steps are due or a run is unfinished, 0 when not."""
    from orchestrator.upgrade.due import Reason
    from orchestrator.upgrade.plan import make_plan
    from orchestrator.upgrade.survey import read_situation

    setting = read_setting(config, with_steps=True)
    plan = make_plan(read_situation(setting.config, setting.registry))
    waiting = [planned for planned in plan.due if planned.reason is not Reason.ALWAYS]
    if output is Output.JSON and not quiet:
        from orchestrator.cli.terminal import show_json

        steps = [{"id": planned.step.id, "reason": planned.reason.value} for planned in waiting]
        show_json({"pending": plan.pending, "unfinished_run": plan.resumed, "steps": steps})
    elif not quiet:
        for planned in waiting:
            typer.echo(f"{planned.step.id}  {planned.reason}")
        if plan.resumed:
            typer.echo(f"run {plan.resumed} is unfinished")
        typer.echo(f"continue with: {setting.command('upgrade')}" if plan.pending else "Nothing is pending.")
    raise typer.Exit(1 if plan.pending else 0)
