# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator repository ...`: repositories of the catalog."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import repository_sync
from orchestrator.cli.content_options import (
    OrganizationOption,
    OverrideOption,
    PathArgument,
    TitleOption,
    open_workspace,
    organization_of,
    read_overrides,
    show_list,
    show_values,
)
from orchestrator.cli.options import ConfigOption, Output, OutputOption, WaitLockOption, seconds_of
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from orchestrator.content.catalog.model import Key, Repository
    from orchestrator.content.workspace import Workspace

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Repositories: deb, rpm and file, with their snapshots."
)
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where it is brought in from; relative to the product's base.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="A key that signs its metadata.", show_default=False),
]


@app.command("list")
def list_all(
    product: Annotated[
        str, typer.Option("--product", metavar="LABEL", help="Only those of one product.", show_default=False)
    ] = "",
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, with all addresses.")] = False,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List the repositories of an organization, mirrors of `mirror clone` among them."""
    import sys

    from orchestrator.content import product_table
    from orchestrator.content.adopting import adopt_mirrors
    from orchestrator.content.catalog import repositories

    with open_workspace(config, output) as workspace:
        whose = organization_of(workspace, organization)
        adopt_mirrors(workspace)
        if csv:
            sys.stdout.write(product_table.to_csv(workspace, whose, product))
            return
        with workspace.catalog.reading() as session:
            found = [
                _document(workspace, session, each) for each in repositories.all(session, whose, product)
            ]
    show_list(found, ("repository", "type", "snapshot", "packages", "size", "made"), output)


def _document(workspace: "Workspace", session: "Session", repository: "Repository") -> dict[str, Any]:
    from orchestrator.config.quantities import show_size
    from orchestrator.content.catalog import keys, snapshots
    from orchestrator.content.upstreams import told

    newest = snapshots.newest(session, repository)
    holds = (newest.number, newest.packages, newest.bytes, newest.made) if newest else None
    # What `mirror clone` has published becomes a snapshot when something is to refer to it.
    current = workspace.store(repository).current() if repository.mirror else None
    if current is not None:
        record = current.record
        holds = (current.number, record.packages, record.bytes, record.time)
    return {
        "repository": repository.path,
        "type": repository.type,
        "snapshot": holds[0] if holds else None,
        "packages": holds[1] if holds else None,
        "size": show_size(holds[2]) if holds else None,
        "made": holds[3][:16].replace("T", " ") if holds else None,
        "name": repository.name,
        "organization": repository.organization,
        "upstream": told(repository.upstream),
        "keys": [each.name for each in keys.of_repository(session, repository)],
        "mirror": repository.mirror,
        "source_url": repository.source_url,
        "published": str(workspace.place(repository)),
    }


@app.command()
def show(
    path: PathArgument,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show one repository with its snapshots."""
    from orchestrator.content.adopting import adopt_mirrors
    from orchestrator.content.catalog import repositories, snapshots

    with open_workspace(config, output) as workspace:
        adopt_mirrors(workspace)
        with workspace.catalog.reading() as session:
            found = repositories.get(session, organization_of(workspace, organization), path)
            document = _document(workspace, session, found)
            there = [asdict(each) for each in snapshots.all(session, found)]
    if output is Output.JSON:
        show_values(document | {"snapshots": there}, output)
        return
    show_values(document, output)
    if there:
        typer.echo()
        show_list(there, ("number", "made", "origin", "packages", "files", "inventory"), output)


@app.command()
def create(
    path: PathArgument,
    type_: Annotated[str, typer.Option("--type", metavar="deb|rpm|file", help="What it holds.")],
    url: UrlOption = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="TEXT",
            help='What of the address: "stable main" (deb), a directory (rpm).',
            show_default=False,
        ),
    ] = None,
    architecture: Annotated[
        list[str] | None, typer.Option("--architecture", metavar="ARCH", help="Only it.", show_default=False)
    ] = None,
    key: KeyOption = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Trust whoever can answer for its address.")
    ] = False,
    override: OverrideOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Create a repository; its product must be there."""
    from orchestrator.content import editing
    from orchestrator.content.catalog.model import Repository, split_path

    if type_ not in ("deb", "rpm", "file"):
        raise UsageError(f"--type {type_}: takes deb, rpm or file")
    product, label = split_path(path)
    given = {
        "baseurl": url,
        "repositories": suite or (["."] if url and type_ != "deb" else None),
        "architectures": architecture,
        "unsigned": unsigned or None,
    }
    upstream = read_overrides(override, {key: value for key, value in given.items() if value is not None})
    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        made = Repository(whose, product, label, type_, name or "", upstream)  # type: ignore[arg-type]
        editing.create(workspace, made, keys=_keys(whose, key))
    typer.echo(f"The repository {path} is there.")


@app.command()
def update(
    path: PathArgument,
    url: UrlOption = None,
    key: KeyOption = None,
    override: OverrideOption = None,
    name: TitleOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Change where and how a repository is brought in, or its name."""
    from dataclasses import replace

    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        found = editing.repository(workspace, whose, path)
        before = dict(found.upstream) | ({"baseurl": url} if url is not None else {})
        changed = replace(
            found,
            name=found.name if name is None else name,
            upstream=read_overrides(override, before),
        )
        editing.update(workspace, found, changed, keys=_keys(whose, key))
    typer.echo(f"The repository {path} is changed.")


def _keys(organization: str, files: list[Path] | None) -> "list[Key]":
    """The keys in `files`, by their names. Raises Invalid."""
    from orchestrator.content.catalog.model import Key
    from orchestrator.content.signatures import Keyring

    return [Key(organization, file.stem, Keyring.load([file]).armoured().decode()) for file in files or ()]


@app.command()
def delete(
    path: PathArgument,
    organization: OrganizationOption = "",
    wait_lock: WaitLockOption = "",
    config: ConfigOption = None,
) -> None:
    """Delete a repository and its snapshots; refused while a view refers to it."""
    from orchestrator.content import removal

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        removal.remove_repository(workspace, whose, path, wait=seconds_of(wait_lock))
    typer.echo(f"The repository {path} is gone; `orchestrator mirror prune` frees its files.")


app.command()(repository_sync.sync)
app.command("set-source")(repository_sync.set_source)


@app.command("client-config")
def client_config(
    path: PathArgument,
    url: Annotated[
        str,
        typer.Option("--url", metavar="URL", help="Where clients reach it.", show_default=False),
    ] = "",
    view: Annotated[
        str, typer.Option("--view", metavar="LABEL", help="As this view shows it.", show_default=False)
    ] = "",
    environment: Annotated[
        str, typer.Option("--environment", metavar="LABEL", help="Where the view is shown.")
    ] = "library",
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Print what a client of a repository needs: a deb822 source, or a .repo file."""
    from orchestrator.content import upkeep
    from orchestrator.content.catalog import repositories

    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        with workspace.catalog.reading() as session:
            found = repositories.get(session, whose, path)
        place = workspace.shown(whose, environment, view) / path if view else workspace.place(found)
        with workspace.engine([], [found]) as engine:
            address = url or f"{place.as_uri()}/"
            # apt reads no file with another character than these in its name.
            called = re.sub(r"[^A-Za-z0-9_.-]", "-", f"{whose}-{found.product}-{found.label}")
            typer.echo(upkeep.client_config(engine, found.store, address, called=called), nl=False)
