# SPDX-License-Identifier: GPL-3.0-or-later
"""The program: its commands, loaded when they are used, and the one place where errors become text and status."""

import gc
import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from orchestrator import __version__
from orchestrator.errors import ExitCode, Interrupted, OrchestratorError
from orchestrator.host.refusals import refused_by_system
from orchestrator.host.streams import prepare_standard_streams

# Command -> module. Their modules are imported when they are called: `pending` must start fast.
COMMANDS = {
    "upgrade": "upgrade",
    "plan": "plan",
    "check": "check",
    "status": "status",
    "attach": "attach",
    "pending": "pending",
    "recover": "recover",
    "history": "history",
    "runs": "runs",
    "services": "services",
    "scripts": "scripts",
    "hook": "hook",
    "mirror": "mirror",
    "import": "import_",
    "organization": "organization",
    "product": "product",
    "repository": "repository",
    "view": "view",
    "environment": "environment",
    "apply": "apply",
    "export": "export",
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported by name, and the error boundary around them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{COMMANDS[cmd_name]}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            report(error, as_json=bool(ctx.obj and ctx.obj.get("json")))
            raise typer.Exit(int(error.exit_code)) from None
        except KeyboardInterrupt:
            report(Interrupted("stopped on request"), as_json=False)
            raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
        except OSError as error:
            if ctx.obj and ctx.obj.get("debug"):
                raise
            refusal = refused_by_system(error)
            report(refusal, as_json=bool(ctx.obj and ctx.obj.get("json")))
            raise typer.Exit(int(refusal.exit_code)) from None


def report(error: OrchestratorError, *, as_json: bool) -> None:
    """Tell an error: what, every problem, what to do. Readable on stderr; as a JSON line on stdout when asked for."""
    from orchestrator.cli.wording import clean

    lines = [f"orchestrator: {error.message}", *(f"  {problem}" for problem in error.problems)]
    if error.hint:
        lines.append(f"  -> {error.hint}")
    if as_json:
        import json

        problems = [{"where": p.where, "what": p.what, "hint": p.hint} for p in error.problems]
        content = {
            "event": "error",
            "exit_code": int(error.exit_code),
            "message": error.message,
            "problems": problems,
            "hint": error.hint,
        }
        sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()  # what was told before stands before it
    sys.stderr.write("".join(f"{clean(line)}\n" for line in lines))
    sys.stderr.flush()


app = typer.Typer(
    cls=LazyGroup,
    name="orchestrator",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Upgrade a multi-service server: numbered scripts in service-state phases.",
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"orchestrator {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of internal errors.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    ctx.obj = {"debug": debug}


def main() -> None:
    """The console script. An internal error is a line and exit status 1; --debug shows its traceback."""
    prepare_standard_streams()
    # Or pydantic reads the metadata of all that is installed, in search of plugins that have no business here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    try:
        app()
    except Exception as error:  # the boundary
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"orchestrator: internal error: {type(error).__name__}: {error}\n")
        sys.stderr.write(
            "  -> please report it with the output of the same command after: orchestrator --debug\n"
        )
        raise SystemExit(int(ExitCode.STEP_FAILED)) from None
    finally:
        # All that is left ends with us: looking for garbage in it once more would take as long as many a command.
        gc.freeze()
