# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator view ...`: repositories that are shown together, in numbered versions."""

from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from orchestrator.content.showing import Shown

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Views: repositories shown together, in versions."
)
RepositoriesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        "-r",
        metavar="PRODUCT/REPOSITORY",
        help="Holds it. May be repeated.",
        show_default=False,
    ),
]
PartsOption = Annotated[
    list[str] | None,
    typer.Option("--view", metavar="LABEL", help="Is composed of it. May be repeated.", show_default=False),
]


@app.command("list")
def list_all(
    organization: OrganizationOption = "", config: ConfigOption = None, output: OutputOption = Output.AUTO
) -> None:
    """List the views of an organization."""
    from orchestrator.content.catalog import environments, views

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        whose = organization_of(workspace, organization)
        shown = environments.all(session, whose)
        found: list[dict[str, Any]] = [
            {
                "label": each.label,
                "versions": len(views.versions(session, whose, each.label)),
                "holds": each.repositories or each.views,
                "shown": [
                    f"{environment.label} {environment.shows[each.label]}"
                    for environment in shown
                    if each.label in environment.shows
                ],
                "name": each.name,
            }
            for each in views.all(session, whose)
        ]
    show_list(found, ("label", "versions", "shown", "holds"), output)


@app.command()
def show(
    label: LabelArgument,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show one view with its versions."""
    from orchestrator.content.catalog import environments, views

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        whose = organization_of(workspace, organization)
        found = views.get(session, whose, label)
        shows = {e.label: e.shows.get(label) for e in environments.all(session, whose)}
        versions = [
            {
                "number": each.number,
                "made": each.made,
                "shown": [name for name, number in shows.items() if number == each.number],
                "repositories": {path: snapshot.number for path, snapshot in each.contents},
                "description": each.description,
            }
            for each in views.versions(session, whose, label)
        ]
    document: dict[str, Any] = {
        "label": found.label,
        "name": found.name,
        "repositories": list(found.repositories),
        "views": list(found.views),
    }
    if output is Output.JSON:
        show_values(document | {"versions": versions}, output)
        return
    show_values(document, output)
    typer.echo()
    none = f"No version yet: orchestrator view publish {label}"
    show_list(versions, ("number", "made", "shown", "repositories", "description"), output, none=none)


@app.command()
def create(
    label: LabelArgument,
    repositories: RepositoriesOption = None,
    parts: PartsOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Create a view of repositories, or one composed of views."""
    from orchestrator.content import editing
    from orchestrator.content.catalog.model import View

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        made = View(whose, label, name or "", tuple(repositories or ()), tuple(parts or ()))
        editing.create(workspace, made)
    typer.echo(f"The view {label} is there; `orchestrator view publish {label}` makes its first version.")


@app.command()
def update(
    label: LabelArgument,
    repositories: RepositoriesOption = None,
    parts: PartsOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Change what the next version of a view holds: just the repositories, or views, that are named."""
    from dataclasses import replace

    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        found = editing.view(workspace, organization_of(workspace, organization), label)
        changed = replace(found, name=found.name if name is None else name)
        if repositories or parts:
            changed = replace(changed, repositories=tuple(repositories or ()), views=tuple(parts or ()))
        editing.update(workspace, found, changed)
    typer.echo(f"The view {label} is changed; `orchestrator view publish {label}` shows it.")


@app.command()
def publish(
    label: LabelArgument,
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="What is new in it.", show_default=False)
    ] = "",
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Make a version of what the repositories hold now, and show it in the library."""
    from orchestrator.content import views

    with open_workspace(config, output) as workspace:
        whose = organization_of(workspace, organization)
        shown = views.publish(workspace, whose, label, description=description)
    tell_shown(shown, output)


def tell_shown(shown: "Shown", output: Output) -> None:
    from orchestrator.cli.content_wording import shown_line
    from orchestrator.cli.terminal import say, show_json

    if output is Output.JSON:
        show_json(shown.to_json())
    else:
        say([shown_line(shown)], output)


@app.command()
def delete(
    label: LabelArgument,
    version: Annotated[
        list[int] | None,
        typer.Option("--version", metavar="N", help="Only this version.", show_default=False),
    ] = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Delete a view that nothing shows, or versions of it."""
    from orchestrator.content import views

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        if version:
            views.remove_versions(workspace, whose, label, version)
        else:
            views.remove_view(workspace, whose, label)
    typer.echo(f"The versions of {label} are gone." if version else f"The view {label} is gone.")
