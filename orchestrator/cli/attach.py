# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator attach`: the view of a run of another process."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.errors import ExitCode, StepFailed

if TYPE_CHECKING:
    from orchestrator.cli.keys import Keyboard
    from orchestrator.upgrade.following import Follower
    from orchestrator.upgrade.journal import Event
    from orchestrator.upgrade.setting import Setting
    from orchestrator.upgrade.standing import Standing

app = typer.Typer(add_completion=False)

_TICK = 0.1


@app.command()
def attach(
    config: ConfigOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all output of the steps.")] = False,
    output: OutputOption = Output.AUTO,
) -> None:
    """Watch the run that is under way, until it ends or you leave with q; its exit status, also when it has ended."""
    from orchestrator.cli.keys import keyboard
    from orchestrator.cli.terminal import is_rich, say
    from orchestrator.cli.wording import Line

    setting = read_setting(config)
    with keyboard() as keys:
        if keys.there and is_rich(output):
            say([Line("q leaves; the run goes on.", "dim")], output)
        try:
            end = _watch(setting, keys, output, verbose=verbose)
        except KeyboardInterrupt:
            typer.echo(_left(setting), err=True)
            raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
    if end is None:
        typer.echo(_left(setting), err=True)
        return
    _tell_end(end, output)


def _left(setting: "Setting") -> str:
    return f"Left; the run goes on. Back to it with: {setting.command('attach')}"


def _watch(setting: "Setting", keys: "Keyboard", output: Output, *, verbose: bool) -> "Event | None":
    """Show a run to its last event, which is returned; None: the user has left. Raises StepFailed when it died, and
    typer.Exit when none is under way."""
    from orchestrator.cli.reporters import watching
    from orchestrator.upgrade.following import Follower

    standing = _wait_for_run(setting, keys)
    if standing is None:
        return None
    run = standing.run
    if run is None or not standing.watchable:
        raise typer.Exit(_tell_none(setting, standing, output))
    with watching(output, verbose=verbose, continue_command=setting.command("upgrade")) as view:
        view.expect(run.saved_plan())
        follower = Follower(setting.config.state_dir, run, view)
        follower.catch_up()
        stayed = _follow(follower, keys)
    if not stayed:
        return None
    if follower.end is None:
        raise StepFailed(
            f"the runner of {run.id} died without a word (killed, or the power went)",
            hint=f"continue with: {setting.command('upgrade')}",
        )
    return follower.end


def _wait_for_run(setting: "Setting", keys: "Keyboard") -> "Standing | None":
    """How it stands, once whoever prepares an upgrade has begun it, or given up; None: the user has left."""
    from orchestrator.upgrade.lock import describe_holder
    from orchestrator.upgrade.standing import read_standing

    told = False
    while True:
        standing = read_standing(setting.config.state_dir)
        if standing.run is not None or standing.holder.get("purpose") != "upgrade":
            return standing
        if not told:
            typer.echo(f"Waiting for {describe_holder(standing.holder)} to begin a run ...", err=True)
            told = True
        if _wants_to_leave(keys):
            return None


def _follow(follower: "Follower", keys: "Keyboard") -> bool:
    """Whether the user has stayed to the end."""
    while follower.end is None and not follower.died:
        if _wants_to_leave(keys):
            return False
        follower.look()
    return True


def _wants_to_leave(keys: "Keyboard") -> bool:
    return "q" in keys.pressed(_TICK).lower()


def _tell_none(setting: "Setting", standing: "Standing", output: Output) -> int:
    """No run is under way: how it stands instead. The status of the last run, to be ours."""
    from orchestrator.cli import status

    found = status.assemble(setting, standing)
    if output is not Output.JSON:
        status.show(found)
    elif standing.end is not None:
        typer.echo(standing.end.to_json())
    if standing.events and standing.end is None:  # it died
        return int(ExitCode.STEP_FAILED)
    return int(standing.end.get("exit_code", 0)) if standing.end else 0


def _tell_end(end: "Event", output: Output) -> None:
    """Why it stopped, as `upgrade` itself would say on its own terminal; its status is ours."""
    from orchestrator.cli.wording import clean

    if end.get("reason") and output is not Output.JSON:
        typer.echo(clean(f"orchestrator: {end['reason']}"), err=True)
    raise typer.Exit(int(end.get("exit_code", 0)))
