# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator check`: everything that would refuse an upgrade, all at once."""

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.cli.wording import Line, clean
from orchestrator.errors import ExitCode

app = typer.Typer(add_completion=False)


@app.command()
def check(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Run the check/ scripts and look at the host; report all failures at once (exit 4)."""
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.upgrade.checks import Check, run_all

    checks = run_all(read_setting(config, with_steps=True))
    failed = [one for one in checks if not one.status.good]
    if output is Output.JSON:
        show_json(
            [
                {"name": c.name, "description": c.description, "status": c.status.value}
                | {"message": c.message, "output": list(c.tail)}
                for c in checks
            ]
        )
    else:

        def lines(one: Check) -> list[Line]:
            mark, style = {"done": ("ok", "good"), "not-applicable": ("n/a", "dim")}.get(
                one.status, ("FAIL", "bad")
            )
            message = f" ({one.message})" if one.message else ""
            tail = [] if one.status.good else [Line(f"         {clean(text)}") for text in one.tail]
            return [Line(f"  {mark:5}{one.name}: {one.description}{message}", style), *tail]

        say([line for one in checks for line in lines(one)])
        say(
            [
                Line(
                    f"{len(failed)} of {len(checks)} checks failed." if failed else "All checks passed.",
                    "bold",
                )
            ]
        )
    raise typer.Exit(int(ExitCode.REFUSED if failed else ExitCode.DONE))
