# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator plan`: what an upgrade would do. Changes nothing on disk."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.cli.plan_view import plan_lines
from orchestrator.cli.terminal import say, show_json
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.situation import Selection

if TYPE_CHECKING:
    from orchestrator.upgrade.begin import UpgradeOptions

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    config: ConfigOption = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Only these steps; may be repeated.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="As if an unfinished run were begun anew.")
    ] = False,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show what an upgrade would do, with reasons; change nothing."""
    from orchestrator.upgrade.begin import UpgradeOptions

    options = UpgradeOptions(selection=Selection(tuple(only or ())), restart=restart)
    show(read_setting(config, with_steps=True), options, output)


def show(setting: Setting, options: "UpgradeOptions", output: Output) -> None:
    """Print the plan; exit 4 when a fact of the host would refuse it."""
    from orchestrator.errors import ExitCode
    from orchestrator.upgrade.begin import plan_to_json, preview

    seen = preview(setting, options)
    if output is Output.JSON:
        refusals = [{"where": p.where, "what": p.what, "hint": p.hint} for p in seen.refusals]
        show_json({**plan_to_json(seen.plan), "refusals": refusals})
    else:
        say(plan_lines(seen.plan, setting.config.product.name, everything=True, refusals=seen.refusals))
    if seen.refusals:
        raise typer.Exit(int(ExitCode.REFUSED))
