# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator environment ...`: where versions of views are shown, one after the other."""

from typing import Annotated, Any

import typer

from orchestrator.cli.content_options import (
    LabelArgument,
    OrganizationOption,
    TitleOption,
    open_workspace,
    organization_of,
    show_list,
    show_values,
)
from orchestrator.cli.options import ConfigOption, Output, OutputOption

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Environments: library, dev, prod ... that views pass."
)
AfterOption = Annotated[
    str | None,
    typer.Option("--after", metavar="LABEL", help="What versions are promoted from.", show_default=False),
]


@app.command("list")
def list_all(
    organization: OrganizationOption = "", config: ConfigOption = None, output: OutputOption = Output.AUTO
) -> None:
    """List the environments with the versions that they show."""
    from orchestrator.content.catalog import environments

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        found: list[dict[str, Any]] = [
            {"label": each.label, "after": each.after, "shows": dict(each.shows), "name": each.name}
            for each in environments.all(session, organization_of(workspace, organization))
        ]
    show_list(found, ("label", "after", "shows"), output)


@app.command()
def show(
    label: LabelArgument,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show one environment, and where clients find its views."""
    from orchestrator.content.catalog import environments

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        whose = organization_of(workspace, organization)
        found = environments.get(session, whose, label)
        document: dict[str, Any] = {
            "label": found.label,
            "name": found.name,
            "after": found.after,
            "shows": dict(found.shows),
            "published": {view: str(workspace.shown(whose, label, view)) for view in found.shows},
        }
    show_values(document, output)


@app.command()
def create(
    label: LabelArgument,
    after: AfterOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Create an environment after another, the library if none is named."""
    from orchestrator.content import editing
    from orchestrator.content.catalog.model import LIBRARY, Environment

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        editing.create(workspace, Environment(whose, label, name or "", after or LIBRARY))
    typer.echo(f"The environment {label} is there.")


@app.command()
def update(
    label: LabelArgument,
    after: AfterOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Change the name of an environment, or what it takes from."""
    from dataclasses import replace

    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        found = editing.environment(workspace, organization_of(workspace, organization), label)
        changed = replace(
            found,
            name=found.name if name is None else name,
            after=found.after if after is None else after,
        )
        editing.update(workspace, found, changed)
    typer.echo(f"The environment {label} is changed.")


@app.command()
def promote(
    view: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    to: Annotated[str, typer.Option("--to", metavar="ENVIRONMENT", help="Where it is to be shown.")],
    version: Annotated[
        int | None,
        typer.Option(
            "--version", metavar="N", help="Not what the one before it shows, but this.", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also a version that the one before it does not show.")
    ] = False,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show a version of a view in the next environment of the path."""
    from orchestrator.cli.view import tell_shown
    from orchestrator.content import views

    with open_workspace(config, output) as workspace:
        whose = organization_of(workspace, organization)
        shown = views.promote(workspace, whose, view, to, number=version, force=force)
    tell_shown(shown, output)


@app.command()
def hide(
    view: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    environment: Annotated[
        str, typer.Option("--from", metavar="ENVIRONMENT", help="Where it is to be shown no more.")
    ],
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Show no version of a view in an environment any more: clients find nothing there. Its versions stay."""
    from orchestrator.content import showing

    with open_workspace(config, Output.AUTO) as workspace:
        showing.hide(workspace, organization_of(workspace, organization), view, environment)
    typer.echo(f"{view} is not shown in {environment} any more.")


@app.command()
def delete(label: LabelArgument, organization: OrganizationOption = "", config: ConfigOption = None) -> None:
    """Delete an environment that nothing takes from, and what it shows with it."""
    from orchestrator.content import views

    with open_workspace(config, Output.AUTO) as workspace:
        views.remove_environment(workspace, organization_of(workspace, organization), label)
    typer.echo(f"The environment {label} is gone.")
