# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator mirror packages|search|unresolved|why`: questions to sources, which change nothing."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.mirror_options import (
    DestinationOption,
    MirrorsOption,
    NamesArgument,
    PartialOption,
    RequirementOption,
    open_engine,
)
from orchestrator.cli.options import Output, OutputOption
from orchestrator.errors import ExitCode, UsageError


def packages(
    names: NamesArgument = None,
    config: MirrorsOption = None,
    name: Annotated[
        str, typer.Option("--name", metavar="PATTERN", help="Shell pattern of names.", show_default=False)
    ] = "",
    architecture: Annotated[
        str, typer.Option("--arch", metavar="ARCH", help="Of this architecture.", show_default=False)
    ] = "",
    section: Annotated[
        str, typer.Option("--section", metavar="TEXT", help="Of this section or group.", show_default=False)
    ] = "",
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List what sources offer."""
    _search(config, destination, output, names, name=name, architecture=architecture, section=section)


def search(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Shell pattern of names.", show_default=False)
    ] = "",
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", metavar="NAME", help="Only in this source.", show_default=False),
    ] = None,
    provides: Annotated[
        str, typer.Option("--provides", metavar="TEXT", help="That provide this.", show_default=False)
    ] = "",
    requires: Annotated[
        str, typer.Option("--requires", metavar="TEXT", help="That require this.", show_default=False)
    ] = "",
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Search sources by name, by what is provided, by what is required."""
    if not (pattern or provides or requires):
        raise UsageError("say what to search for: a PATTERN, --provides or --requires")
    _search(config, destination, output, source, name=pattern, provides=provides, requires=requires)


def _search(
    config: Path | None,
    destination: Path | None,
    output: Output,
    names: list[str] | None,
    **query: Any,
) -> None:
    from orchestrator import content
    from orchestrator.cli.mirror_wording import package_document, package_row
    from orchestrator.cli.terminal import show_json, show_table

    with open_engine(config, destination, Output.AUTO) as engine:
        found = content.search(engine, names or (), content.Query(**query))
    if output is Output.JSON:
        show_json([package_document(package) for package in found])
    elif not found:
        typer.echo("No package is like that.", err=True)
    else:
        columns = ("package", "version", "arch", "size", "from")
        show_table(columns, [package_row(package) for package in found], output)


def unresolved(
    names: NamesArgument = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List the relations of sources that nothing satisfies; exit status 1 when there are any."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json, show_table

    with open_engine(config, destination, Output.AUTO) as engine:
        found = content.unresolved(engine, names or ())
    if output is Output.JSON:
        show_json([each.to_json() for each in found])
    elif not found:
        typer.echo("Every relation is satisfied.")
    else:
        rows = [(u.relation, str(u.by or "-"), u.nearest or "-") for u in found]
        show_table(("relation", "of", "nearest"), rows, output)
    if found:
        raise typer.Exit(int(ExitCode.STEP_FAILED))


def why(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="The package that comes in.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", metavar="NAME", help="Only in this source.", show_default=False),
    ] = None,
    partial: PartialOption = False,
    requirement: RequirementOption = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Show the chain that brings a package into a partial mirror."""
    from orchestrator import content
    from orchestrator.cli.mirror_wording import chain_lines, package_document
    from orchestrator.cli.terminal import say, show_json

    with open_engine(config, destination, Output.AUTO) as engine:
        chains = content.why(engine, package, source or (), requirement or (), partial=partial)
    if output is Output.JSON:
        show_json(
            [
                [
                    {
                        "package": package_document(link.package),
                        "because": link.reason.because.value,
                        "relation": link.reason.relation,
                    }
                    for link in chain
                ]
                for chain in chains
            ]
        )
    else:
        for chain in chains:
            say(chain_lines(chain), output)
