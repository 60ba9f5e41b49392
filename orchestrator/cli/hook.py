# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator hook ...`: for scripts of packages, and for the boot. Plain lines, no questions, few exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, Output, read_setting
from orchestrator.errors import ExitCode, Interrupted, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.upgrade.package_hook import Hook, Kind
    from orchestrator.upgrade.plan import Plan

app = typer.Typer(
    no_args_is_help=True, help="For scripts of packages, and for the boot: upgrade now or later."
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="What triggered it, for the record.", show_default=False),
]
BeforeOption = Annotated[
    str,
    typer.Option(
        "--before",
        metavar="VERSION",
        help="Before this version of the product is unpacked: only say whether the data allows that.",
        show_default=False,
    ),
]


@app.command()
def deb(names: NamesArgument = None, before: BeforeOption = "", config: ConfigOption = None) -> None:
    """Called by a dpkg trigger or a postinst: upgrade at the end of the transaction, or leave it for later."""
    _hook("deb", names or [], before, config)


@app.command()
def rpm(names: NamesArgument = None, before: BeforeOption = "", config: ConfigOption = None) -> None:
    """Called by a file trigger or a %posttrans: upgrade at the end of the transaction, or leave it for later."""
    _hook("rpm", names or [], before, config)


@app.command()
def boot(config: ConfigOption = None) -> None:
    """Called once at every boot: go on with what was left, where the policy says so, and tell of it."""
    if not _configured(config):
        return
    from orchestrator.upgrade.boot_hook import run_boot_hook

    with _ending("boot"):
        run_boot_hook(read_setting(config, with_steps=True), _tell)


def _hook(kind: "Kind", names: list[str], before: str, config: Path | None) -> None:
    if not _configured(config):
        return
    from orchestrator.upgrade.package_hook import Hook, name_asker, refuse_before

    with _ending("" if before else kind):
        setting = read_setting(config, with_steps=not before)
        hook = Hook(setting, kind, name_asker(kind, names), _tell)
        if before:
            refuse_before(hook, before)
        else:
            raise typer.Exit(_run(hook))


def _run(hook: "Hook") -> int:
    from orchestrator.cli.plan_view import plan_lines
    from orchestrator.cli.reporters import watching
    from orchestrator.cli.terminal import say
    from orchestrator.upgrade.begin import Dialogue
    from orchestrator.upgrade.package_hook import run_hook

    setting = hook.setting

    def show(plan: "Plan") -> None:
        say(plan_lines(plan, setting.config.product.name, everything=False), Output.PLAIN)

    with watching(Output.PLAIN, verbose=False, continue_command=setting.command("upgrade")) as view:
        return run_hook(hook, view, Dialogue(show, ask=None))


def _configured(config: Path | None) -> bool:
    from orchestrator.config.load import find_config, is_there

    path = find_config(config)
    if not is_there(path):
        _tell(f"not configured: there is no {path}")
        return False
    return True


def _tell(line: str) -> None:
    typer.echo(f"orchestrator: {line}")


@contextmanager
def _ending(kind: str) -> Iterator[None]:
    """An error becomes its lines and the exit code that package managers understand."""
    from orchestrator.cli.app import report
    from orchestrator.host.refusals import refused_by_system
    from orchestrator.upgrade.hooking import exit_code_of

    try:
        yield
        return
    except OrchestratorError as error:
        failure = error
    except KeyboardInterrupt:
        failure = Interrupted("stopped on request")
    except OSError as error:
        failure = refused_by_system(error)
    report(failure, as_json=False)
    if kind == "deb":
        typer.echo("orchestrator: the package stays unconfigured; to go on: dpkg --configure -a", err=True)
    raise typer.Exit(exit_code_of(ExitCode(failure.exit_code)))
