# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator recover`."""

import typer

from orchestrator.cli.options import (
    ConfigOption,
    Output,
    OutputOption,
    WaitLockOption,
    read_setting,
    seconds_of,
    tell_waiting,
)

app = typer.Typer(add_completion=False)


@app.command()
def recover(
    config: ConfigOption = None, wait_lock: WaitLockOption = "", output: OutputOption = Output.AUTO
) -> None:
    """After a crash: start what an unfinished run stopped, release what it masked, leave maintenance mode."""
    from orchestrator.cli.reporters import watching
    from orchestrator.cli.terminal import say
    from orchestrator.cli.wording import Line
    from orchestrator.upgrade.recover import recover as pay_debts

    setting = read_setting(config)
    with watching(output, verbose=False, continue_command=setting.command("upgrade")) as view:
        recovery = pay_debts(setting, view, wait_lock=seconds_of(wait_lock), waiting=tell_waiting)
    if output is Output.JSON:
        return
    if recovery.run is None:
        typer.echo("Nothing to recover: no unfinished run owes anything.")
    else:
        say(
            [
                Line(f"Run {recovery.run} is still unfinished; continue it with:"),
                Line(f"  {setting.command('upgrade')}", "command"),
            ]
        )
