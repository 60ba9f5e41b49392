# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator organization ...`: who owns content."""

from typing import Annotated, Any

import typer

from orchestrator.cli.content_options import (
    LabelArgument,
    TitleOption,
    open_workspace,
    show_list,
    show_values,
)
from orchestrator.cli.options import ConfigOption, Output, OutputOption

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Organizations: who owns content.")


@app.command("list")
def list_all(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """List the organizations."""
    from orchestrator.content.catalog import organizations, products

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        found = [
            {
                "label": each.label,
                "name": each.name,
                "products": len(products.all(session, each.label)),
                "source_url": each.source_url,
            }
            for each in organizations.all(session)
        ]
    show_list(found, ("label", "name", "products"), output)


@app.command()
def show(label: LabelArgument, config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Show one organization."""
    from orchestrator.content.catalog import environments, organizations, products, views

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        found = organizations.get(session, label)
        document: dict[str, Any] = {
            "label": found.label,
            "name": found.name,
            "source_url": found.source_url,
            "products": [each.label for each in products.all(session, label)],
            "views": [each.label for each in views.all(session, label)],
            "environments": [each.label for each in environments.all(session, label)],
        }
    show_values(document, output)


@app.command()
def create(label: LabelArgument, name: TitleOption = None, config: ConfigOption = None) -> None:
    """Create an organization; its library is made with it."""
    from orchestrator.content import editing
    from orchestrator.content.catalog.model import Organization

    with open_workspace(config, Output.AUTO) as workspace:
        editing.create(workspace, Organization(label, name or ""))
    typer.echo(f"The organization {label} is there.")


@app.command()
def update(label: LabelArgument, name: TitleOption = None, config: ConfigOption = None) -> None:
    """Change the name of an organization."""
    from dataclasses import replace

    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        found = editing.organization(workspace, label)
        editing.update(workspace, found, replace(found, name=found.name if name is None else name))
    typer.echo(f"The organization {label} is changed.")


@app.command("log")
def show_log(
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="So many of the last changes.")
    ] = 20,
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show who changed what in the catalog, the last change last."""
    from orchestrator.content.catalog import audit

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        deeds = [each.to_json() for each in audit.all(session, limit)][::-1]
    show_list(deeds, ("time", "actor", "action", "subject"), output, none="Nothing was changed yet.")


@app.command()
def delete(label: LabelArgument, config: ConfigOption = None) -> None:
    """Delete an organization that is empty."""
    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        editing.delete(workspace, editing.organization(workspace, label))
    typer.echo(f"The organization {label} is gone.")
