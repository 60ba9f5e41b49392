# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator pending`: is there something to do? For package hooks and ExecCondition=, so it must start fast."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting

if TYPE_CHECKING:
    from orchestrator.cli.wording import Line
    from orchestrator.upgrade.plan import Plan

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
    from orchestrator.upgrade.plan import make_plan
    from orchestrator.upgrade.survey import read_situation

    setting = read_setting(config, with_steps=True)
    plan = make_plan(read_situation(setting.config, setting.registry))
    if output is Output.JSON and not quiet:
        from orchestrator.cli.terminal import show_json

        steps = [{"id": planned.step.id, "reason": planned.reason.value} for planned in plan.waiting]
        show_json({"pending": plan.pending, "unfinished_run": plan.resumed, "steps": steps})
    elif not quiet:
        from orchestrator.cli.terminal import say

        say(_lines(plan, setting.command("upgrade")))
    raise typer.Exit(1 if plan.pending else 0)


def _lines(plan: "Plan", command: str) -> Iterable["Line"]:
    from orchestrator.cli.wording import Line

    if not plan.pending:
        yield Line("Nothing is pending.")
        return
    for planned in plan.waiting:
        yield Line(f"{planned.step.id}  {planned.reason}")
    if plan.resumed:
        yield Line(f"run {plan.resumed} is unfinished")
    yield Line(f"{'continue with' if plan.resumed else 'run'}: {command}", "command")
