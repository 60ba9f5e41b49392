# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator pending`: is there something to do? For package hooks and ExecCondition=, so it must start fast."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting

if TYPE_CHECKING:
    from orchestrator.cli.wording import Line
    from orchestrator.upgrade.gate import Gate
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
    """Exit 1 when an upgrade is pending, or the data is newer than the product; 0 when not."""
    from orchestrator.upgrade.gatekeeper import look

    setting = read_setting(config, with_steps=True)
    plan, gate = look(setting)
    if output is Output.JSON and not quiet:
        from orchestrator.cli.terminal import show_json

        show_json(_to_json(plan, gate))
    elif not quiet:
        from orchestrator.cli.terminal import say

        say(_lines(plan, gate, setting.command("upgrade")))
    raise typer.Exit(1 if gate.shut else 0)


def _to_json(plan: "Plan", gate: "Gate") -> dict[str, Any]:
    from dataclasses import asdict

    steps = [{"id": planned.step.id, "reason": planned.reason.value} for planned in plan.waiting]
    return {
        "pending": gate.shut,
        "reason": gate.reason,
        "unfinished_run": plan.resumed,
        "steps": steps,
        "request": asdict(plan.request) if plan.request and plan.asked_for else None,
    }


def _lines(plan: "Plan", gate: "Gate", command: str) -> Iterable["Line"]:
    from orchestrator.cli.wording import Line

    if not gate.shut:
        yield Line(f"{gate.reason[:1].upper()}{gate.reason[1:]}." if gate.reason else "Nothing is pending.")
        return
    for planned in plan.waiting:
        yield Line(f"{planned.step.id}  {planned.reason}")
    if plan.request and plan.asked_for:
        yield Line(f"{plan.request.by} asked for an upgrade: {plan.request.reason}")
    if plan.resumed or not plan.pending:
        yield Line(gate.reason)
    if plan.pending:
        yield Line(f"{'continue with' if plan.resumed else 'run'}: {command}", "command")
    else:
        yield Line("install the newer version again, or restore a backup made with this one")
