# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator scripts ...`: for those who write steps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.actions import known_actions
from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.errors import Invalid, UsageError

if TYPE_CHECKING:
    from orchestrator.upgrade.scripts import Step

app = typer.Typer(no_args_is_help=True, help="List, lint and begin steps.")


@app.command("list")
def list_all(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """List all steps of all layers in running order."""
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.upgrade.phases import phase_of
    from orchestrator.upgrade.scripts import Kind
    from orchestrator.upgrade.survey import read_definitions

    setting = read_setting(config)
    definitions = read_definitions(setting.config, setting.registry)
    rows = [
        (
            step.id,
            "before" if step.kind is Kind.CHECK else phase_of(step.number, definitions.phases).name,
            step.run_rule.value,
            step.header.name,
        )
        for step in definitions.scripts.steps
    ]
    if output is Output.JSON:
        show_json([_to_json(step, row[1]) for step, row in zip(definitions.scripts.steps, rows, strict=True)])
    elif not rows:
        typer.echo("There are no steps.")
    else:
        show_table(("step", "phase", "runs", "name"), rows, output)


def _to_json(step: "Step", phase: str) -> dict[str, object]:
    return {
        "id": step.id,
        "path": str(step.path),
        "phase": phase,
        "run": step.run_rule.value,
        "name": step.header.name,
        "description": step.header.description,
        "sha256": step.sha256,
        "overrides": str(step.overrides) if step.overrides else None,
    }


@app.command()
def lint(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Scripts directories, like scripts.d.")
    ],
) -> None:
    """Judge scripts directories as the plan would, without a configuration; for package builds."""
    from orchestrator.upgrade.scripts import find_steps

    registry = known_actions()
    found = [(directory, find_steps([directory.absolute()], registry)) for directory in directories]
    problems = [problem for _, scripts in found for problem in scripts.problems]
    if problems:
        number = len(problems)
        raise Invalid(f"{number} problem{'' if number == 1 else 's'}", problems=problems)
    for directory, scripts in found:
        typer.echo(f"{directory}: {len(scripts.steps)} steps, no problems")


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it does, like migrate_pulp or migrate_pulp.py.")
    ],
    phase: Annotated[
        str, typer.Option("--phase", metavar="PHASE", help="A phase by name, like backends-up.")
    ],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="check, default or upgrade.")
    ] = "upgrade",
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-d", metavar="DIR", help="Scripts directory; else the last layer."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Begin a step: the next free number of its phase, a header, the exec bit."""
    from orchestrator.upgrade.newscript import create, shipped_phases

    if kind not in ("check", "default", "upgrade"):
        raise UsageError(f"there is no kind {kind}", hint="one of: check, default, upgrade")
    if directory is not None:
        typer.echo(create((directory.absolute(),), shipped_phases(), name, phase, kind))
        return
    configured = read_setting(config).config
    typer.echo(create(configured.scripts, configured.phases, name, phase, kind))
