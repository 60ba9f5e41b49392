# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator mirror ...`: mirrors of deb and rpm repositories."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import Output, OutputOption, WaitLockOption, seconds_of
from orchestrator.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from orchestrator import content

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Mirror deb and rpm repositories, in full or in part."
)


class Type(StrEnum):
    DEB = "deb"
    RPM = "rpm"


MirrorsOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="mirrors.yaml; else $ORCHESTRATOR_MIRRORS, else /etc/orchestrator/mirrors.yaml.",
        show_default=False,
    ),
]
DestinationOption = Annotated[
    Path | None,
    typer.Option(
        "--destination",
        metavar="DIR",
        help="Where mirrors are kept, instead of the configured place.",
        show_default=False,
    ),
]
NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Sources; all without.", show_default=False)
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The mirror.")]
RequirementOption = Annotated[
    list[str] | None,
    typer.Option(
        "--requirement",
        "-r",
        metavar="TEXT",
        help='Also required, like "nginx (>= 1.22)".',
        show_default=False,
    ),
]
PartialOption = Annotated[bool, typer.Option("--partial", help="Only what the requirements need.")]
StaleOption = Annotated[
    bool,
    typer.Option("--allow-stale", help="Take metadata that has expired or is older than what is held."),
]


def _mirrors(config: Path | None, destination: Path | None, *, notes: bool) -> "content.Mirrors":
    from orchestrator import content

    mirrors = content.load_mirrors(content.find_mirrors(config))
    for note in mirrors.notes if notes else ():
        typer.echo(f"note: {note}", err=True)
    if destination is not None:
        mirrors = replace(mirrors, common=replace(mirrors.common, destination=destination.absolute()))
    return mirrors


@contextmanager
def _engine(
    config: Path | None, destination: Path | None, output: Output, *, quiet: bool = True
) -> "Iterator[content.Engine]":
    """The engine of the configuration; the first Ctrl-C ends what it does in good order. `quiet`: commands that
    answer a question tell only what is wrong beside the answer."""
    from orchestrator import content
    from orchestrator.cli.mirror_views import watching
    from orchestrator.host.signals import Interrupts

    mirrors = _mirrors(config, destination, notes=not quiet)
    with (
        Interrupts() as interrupts,
        watching(output, quiet=quiet) as watch,
        content.Engine(mirrors, watch=watch, stop=lambda: interrupts.stop_requested) as engine,
    ):
        yield engine


@app.command()
def clone(
    names: NamesArgument = None,
    config: MirrorsOption = None,
    type_: Annotated[
        Type | None, typer.Option("--type", help="Only sources of this type.", show_default=False)
    ] = None,
    osname: Annotated[
        str, typer.Option("--os", metavar="OSNAME", help="Only sources of this system.", show_default=False)
    ] = "",
    partial: PartialOption = False,
    requirement: RequirementOption = None,
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
    strict: Annotated[bool, typer.Option("--strict", help="Unresolved relations are fatal.")] = False,
    wait_lock: WaitLockOption = "",
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Create or update mirrors of sources."""
    from orchestrator import content

    wish = content.Wish(
        requirements=tuple(requirement or ()),
        partial=partial,
        full_check=full_check,
        dry_run=dry_run,
        allow_shrink=allow_shrink,
        allow_stale=allow_stale,
        strict=strict,
        wait_lock=seconds_of(wait_lock),
    )
    with _engine(config, destination, output, quiet=False) as engine:
        sources = [
            source
            for source in engine.mirrors.sources
            if (type_ is None or source.type == type_.value) and (not osname or source.osname == osname)
        ]
        if not sources:
            raise UsageError(f"{engine.mirrors.path} has no source of that type and system")
        chosen = names or [source.name for source in sources]
        outcomes = content.clone(engine, engine.mirrors.sources, chosen, wish)
    _show_outcomes(outcomes, output)


def _show_outcomes(outcomes: "list[content.Outcome]", output: Output) -> None:
    """What is left to say, and the exit status of all together."""
    from orchestrator import content
    from orchestrator.cli.mirror_wording import summary
    from orchestrator.cli.terminal import say

    code = content.exit_code_of(outcomes)
    if output is Output.JSON:
        import json

        document = {
            "event": "result",
            "exit_code": int(code),
            "sources": [outcome.to_json() for outcome in outcomes],
        }
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        for outcome in outcomes:
            say(summary(outcome), output)
    if code is not ExitCode.DONE:
        raise typer.Exit(int(code))


@app.command("list")
def list_all(
    config: MirrorsOption = None, destination: DestinationOption = None, output: OutputOption = Output.AUTO
) -> None:
    """List the mirrors that are there."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.config.quantities import show_size

    with _engine(config, destination, output) as engine:
        found = content.mirrors(engine)
    if output is Output.JSON:
        show_json(
            [{"name": n, "generations": count, **content.record_to_json(g.record)} for n, g, count in found]
        )
    elif not found:
        typer.echo("No mirror yet.")
    else:
        rows = [
            (
                name,
                generation.record.type,
                generation.record.mode,
                f"{generation.number} ({count} kept)",
                str(generation.record.packages),
                show_size(generation.record.bytes),
                generation.record.time[:16].replace("T", " "),
            )
            for name, generation, count in found
        ]
        show_table(("name", "type", "mode", "generation", "packages", "size", "made"), rows, output)


@app.command()
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


@app.command()
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

    with _engine(config, destination, Output.AUTO) as engine:
        found = content.search(engine, names or (), content.Query(**query))
    if output is Output.JSON:
        show_json([package_document(package) for package in found])
    elif not found:
        typer.echo("No package is like that.", err=True)
    else:
        columns = ("package", "version", "arch", "size", "from")
        show_table(columns, [package_row(package) for package in found], output)


@app.command()
def unresolved(
    names: NamesArgument = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List the relations of sources that nothing satisfies; exit status 1 when there are any."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json, show_table

    with _engine(config, destination, Output.AUTO) as engine:
        found = content.unresolved(engine, names or ())
    if output is Output.JSON:
        show_json(
            [{"relation": u.relation, "by": str(u.by) if u.by else None, "nearest": u.nearest} for u in found]
        )
    elif not found:
        typer.echo("Every relation is satisfied.")
    else:
        rows = [(u.relation, str(u.by or "-"), u.nearest or "-") for u in found]
        show_table(("relation", "of", "nearest"), rows, output)
    if found:
        raise typer.Exit(int(ExitCode.STEP_FAILED))


@app.command()
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

    with _engine(config, destination, Output.AUTO) as engine:
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


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new repository.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Local packages, or directories of them.", show_default=False),
    ] = None,
    source: Annotated[
        str,
        typer.Option("--from", metavar="SOURCE", help="Take packages of this source.", show_default=False),
    ] = "",
    package: Annotated[
        list[str] | None,
        typer.Option(
            "--package", "-p", metavar="TEXT", help='A package, like "nginx (>= 1.22)".', show_default=False
        ),
    ] = None,
    package_list: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Packages, one a line.", show_default=False),
    ] = None,
    dependencies: Annotated[
        bool, typer.Option("--with-dependencies", help="Also what the packages need.")
    ] = False,
    sign_with: Annotated[
        Path | None,
        typer.Option("--sign-with", metavar="KEY", help="Secret key that signs it.", show_default=False),
    ] = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Make a new repository of a source's packages, or of local files."""
    from orchestrator import content

    listed = [*(package or ()), *_lines(package_list)]
    if bool(files) == bool(source):
        raise UsageError("a repository is made of FILES, or of packages --from a source")
    if source and not listed:
        raise UsageError("say which packages: --package NAME, or --list FILE")
    with _engine(config, destination, output, quiet=False) as engine:
        if source:
            outcome = content.create_from_upstream(
                engine, name, source, listed, dependencies=dependencies, sign_with=sign_with
            )
        else:
            outcome = content.create_from_files(engine, name, files or (), sign_with=sign_with)
    _show_outcomes([outcome], output)


def _lines(path: Path | None) -> list[str]:
    """The lines of a list; `#` begins a comment."""
    if path is None:
        return []
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise UsageError(f"cannot read the list {path}: {why}") from None
    texts = (line.partition("#")[0].strip() for line in text.splitlines())
    return [text for text in texts if text]


@app.command()
def verify(
    names: NamesArgument = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring damaged files in again and publish anew.")
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Compare sizes, not digests.")] = False,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Compare published mirrors with what they were published as."""
    from orchestrator import content
    from orchestrator.cli.mirror_wording import verified_document, verified_lines
    from orchestrator.cli.terminal import say, show_json

    with _engine(config, destination, Output.AUTO if output is Output.JSON else output) as engine:
        found = [
            content.verify(engine, name, full=not fast, repair=repair)
            for name in content.names_of(engine, names or ())
        ]
    if output is Output.JSON:
        show_json([verified_document(each) for each in found])
    else:
        say([line for each in found for line in verified_lines(each)], output)
    if not all(each.ok for each in found):
        raise typer.Exit(int(ExitCode.STEP_FAILED))


@app.command()
def rollback(
    name: NameArgument,
    number: Annotated[
        int | None,
        typer.Argument(metavar="N", help="The generation; else the one before.", show_default=False),
    ] = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Publish an earlier generation of a mirror again."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json

    with _engine(config, destination, output) as engine:
        generation = content.rollback(engine, name, number)
    if output is Output.JSON:
        show_json({"name": name, **content.record_to_json(generation.record)})
    else:
        typer.echo(f"{name}: generation {generation.number} is published again.")


@app.command()
def prune(
    names: NamesArgument = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, help="Generations to keep.", show_default=False),
    ] = None,
    config: MirrorsOption = None,
    destination: DestinationOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Remove old generations, and files that no mirror has any more."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json
    from orchestrator.config.quantities import show_size

    with _engine(config, destination, output) as engine:
        freed = content.prune(engine, names or (), keep)
    if output is Output.JSON:
        show_json({"generations": freed.generations, "bytes": freed.bytes})
    else:
        generations = "1 generation" if freed.generations == 1 else f"{freed.generations} generations"
        typer.echo(f"{generations} removed, {show_size(freed.bytes)} freed.")


@app.command("client-config")
def client_config(
    name: NameArgument,
    address: Annotated[
        str,
        typer.Option("--url", metavar="URL", help="Where clients reach the mirror.", show_default=False),
    ] = "",
    config: MirrorsOption = None,
    destination: DestinationOption = None,
) -> None:
    """Print what a client of a mirror needs: a deb822 source, or a .repo file."""
    from orchestrator import content

    with _engine(config, destination, Output.AUTO) as engine:
        place = address or (engine.store(name).published.as_uri() + "/")
        typer.echo(content.client_config(engine, name, place), nl=False)
