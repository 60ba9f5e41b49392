# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator product ...`: what repositories belong to, of a vendor or our own."""

from dataclasses import asdict
from pathlib import Path
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
    add_completion=False, no_args_is_help=True, help="Products: a vendor's, or custom ones of our own."
)
BaseurlOption = Annotated[
    str | None,
    typer.Option(
        "--baseurl",
        metavar="URL",
        help="What relative addresses of its repositories begin at.",
        show_default=False,
    ),
]


@app.command("list")
def list_all(
    organization: OrganizationOption = "", config: ConfigOption = None, output: OutputOption = Output.AUTO
) -> None:
    """List the products of an organization."""
    from orchestrator.content.adopting import adopt_mirrors
    from orchestrator.content.catalog import products, repositories

    with open_workspace(config, output) as workspace:
        adopt_mirrors(workspace)
        whose = organization_of(workspace, organization)
        with workspace.catalog.reading() as session:
            found = [
                asdict(each) | {"repositories": len(repositories.all(session, whose, each.label))}
                for each in products.all(session, whose)
            ]
    show_list(found, ("label", "kind", "vendor", "content_id", "repositories", "name"), output)


@app.command()
def show(
    label: LabelArgument,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show one product."""
    from orchestrator.content.catalog import products, repositories

    with open_workspace(config, output) as workspace, workspace.catalog.reading() as session:
        whose = organization_of(workspace, organization)
        document: dict[str, Any] = asdict(products.get(session, whose, label))
        document["repositories"] = [each.label for each in repositories.all(session, whose, label)]
    show_values(document, output)


@app.command()
def create(
    label: LabelArgument,
    name: TitleOption = None,
    vendor: Annotated[
        str, typer.Option("--vendor", metavar="ID", help="It is this vendor's.", show_default=False)
    ] = "",
    content_id: Annotated[
        str,
        typer.Option("--content-id", metavar="ID", help="What the vendor calls it.", show_default=False),
    ] = "",
    baseurl: BaseurlOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Create a product: custom, or with --vendor and --content-id a vendor's."""
    from orchestrator.content import editing
    from orchestrator.content.catalog.model import Product, ProductKind
    from orchestrator.errors import UsageError

    if bool(vendor) != bool(content_id):
        raise UsageError("--vendor and --content-id belong together")
    kind = ProductKind.VENDOR if vendor else ProductKind.CUSTOM
    with open_workspace(config, Output.AUTO) as workspace:
        whose = organization_of(workspace, organization)
        editing.create(workspace, Product(whose, label, kind, name or "", vendor, content_id, baseurl or ""))
    typer.echo(f"The product {label} is there.")


@app.command()
def update(
    label: LabelArgument,
    name: TitleOption = None,
    baseurl: BaseurlOption = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Change the name or base address of a product; what kind it is never changes."""
    from dataclasses import replace

    from orchestrator.content import editing

    given: dict[str, Any] = {
        key: value for key, value in {"name": name, "baseurl": baseurl}.items() if value is not None
    }
    with open_workspace(config, Output.AUTO) as workspace:
        found = editing.product(workspace, organization_of(workspace, organization), label)
        editing.update(workspace, found, replace(found, **given))
    typer.echo(f"The product {label} is changed.")


@app.command()
def delete(label: LabelArgument, organization: OrganizationOption = "", config: ConfigOption = None) -> None:
    """Delete a product that has no repositories."""
    from orchestrator.content import editing

    with open_workspace(config, Output.AUTO) as workspace:
        found = editing.product(workspace, organization_of(workspace, organization), label)
        editing.delete(workspace, found)
    typer.echo(f"The product {label} is gone.")


@app.command("export-csv")
def export_csv(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; else stdout.", show_default=False)
    ] = None,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
) -> None:
    """Write products with their repositories and addresses as CSV."""
    import sys

    from orchestrator.content import product_table
    from orchestrator.host.files import replace_file

    with open_workspace(config, Output.AUTO) as workspace:
        text = product_table.to_csv(workspace, organization_of(workspace, organization))
    if file is None:
        sys.stdout.write(text)
    else:
        replace_file(file.absolute(), text.encode())
        typer.echo(f"{text.count(chr(10)) - 1} repositories written to {file}.")


@app.command("import-csv")
def import_csv(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export-csv wrote.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would change.")] = False,
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Create and update products with their repositories and addresses from CSV; nothing is deleted."""
    from orchestrator.cli.apply import bring_about
    from orchestrator.content import product_table

    with open_workspace(config, output) as workspace:
        whose = organization_of(workspace, organization)
        changes = product_table.changes_from(workspace, whose, file)
        bring_about(workspace, changes, output, yes=yes, dry_run=dry_run)
