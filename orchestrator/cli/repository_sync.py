# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator repository sync` and `set-source`: bring repositories in, from their upstreams or from elsewhere."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.content_options import OrganizationOption, open_workspace, organization_of
from orchestrator.cli.mirror_options import StaleOption, show_outcomes
from orchestrator.cli.options import ConfigOption, Output, OutputOption, WaitLockOption, seconds_of
from orchestrator.errors import UsageError


class Scope(StrEnum):
    REPOSITORY = "repository"
    PRODUCT = "product"
    ORGANIZATION = "organization"


def sync(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PRODUCT/REPOSITORY", help="The repositories.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All repositories of the organization that have an upstream.")
    ] = False,
    source_url: Annotated[
        str,
        typer.Option(
            "--source-url",
            metavar="URL",
            help="Take this one sync from there (an address or a directory); nothing of it is kept.",
            show_default=False,
        ),
    ] = "",
    full_check: Annotated[
        bool, typer.Option("--full-check", help="Hash every byte of what is published already.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would be downloaded and removed.")
    ] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even if most packages are gone upstream.")
    ] = False,
    allow_stale: StaleOption = False,
    wait_lock: WaitLockOption = "",
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Bring repositories in, and take a snapshot of each."""
    from orchestrator.content.adopting import adopt_mirrors
    from orchestrator.content.syncing import sync_each, syncable

    if bool(paths) == everything:
        raise UsageError("name the repositories, as PRODUCT/REPOSITORY, or say --all")
    wait = seconds_of(wait_lock)
    with open_workspace(config, output, quiet=False) as workspace:
        adopt_mirrors(workspace)
        whose = organization_of(workspace, organization)
        due = paths or syncable(workspace, whose)
        if not due:
            typer.echo(f"No repository of {whose} has an upstream: there is nothing to sync.", err=True)
        outcomes = sync_each(
            workspace,
            whose,
            due,
            source_url=source_url,
            full_check=full_check,
            dry_run=dry_run,
            allow_shrink=allow_shrink,
            allow_stale=allow_stale,
            wait_lock=wait,
        )
    show_outcomes(outcomes, output)


def set_source(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [URL]",
            help="The repository or product (none for an organization), and where it is to be taken from.",
            show_default=False,
        ),
    ] = None,
    scope: Annotated[
        Scope, typer.Option("--scope", help="For what it holds; the nearest that is set counts.")
    ] = Scope.REPOSITORY,
    undo: Annotated[bool, typer.Option("--undo", help="Take it from the upstream again.")] = False,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Take content from elsewhere than the upstream, until it is undone."""
    from orchestrator.cli.terminal import show_json
    from orchestrator.content.adopting import adopt_mirrors
    from orchestrator.content.catalog.model import SourceScope
    from orchestrator.content.overriding import set_source as set_

    name, url = _name_and_url(names or [], scope, undo=undo)
    with open_workspace(config, output) as workspace:
        adopt_mirrors(workspace)
        whose = organization_of(workspace, organization)
        done = set_(workspace, SourceScope(scope.value), whose, name, url or None)
    if output is Output.JSON:
        show_json(done.to_json())
        return
    what = f"The {scope} {name or whose}"
    typer.echo(f"{what} is taken from {done.url or 'its upstream'} now.")
    for path, address in done.addresses:
        typer.echo(f"  {path}: {address}")


def _name_and_url(words: list[str], scope: Scope, *, undo: bool) -> tuple[str, str]:
    """Raises UsageError."""
    wanted = [] if scope is Scope.ORGANIZATION else [f"a {scope}"]
    wanted += [] if undo else ["a URL"]
    if len(words) != len(wanted):
        told = " and ".join(wanted) or "no name"
        raise UsageError(f"set-source --scope {scope}{' --undo' if undo else ''} takes {told}")
    name = "" if scope is Scope.ORGANIZATION else words[0]
    return name, "" if undo else words[-1]
