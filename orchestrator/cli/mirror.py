# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator mirror ...`: mirrors of deb and rpm repositories."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import mirror_questions
from orchestrator.cli.mirror_options import (
    DestinationOption,
    MirrorsOption,
    NameArgument,
    NamesArgument,
    PartialOption,
    RequirementOption,
    StaleOption,
    Type,
    open_engine,
    show_outcomes,
)
from orchestrator.cli.options import Output, OutputOption, WaitLockOption, seconds_of
from orchestrator.errors import ExitCode, UsageError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Mirror deb and rpm repositories, in full or in part."
)


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
    with open_engine(config, destination, output, quiet=False) as engine:
        named = [engine.source(name) for name in names] if names else engine.mirrors.sources
        chosen = [
            source.name
            for source in named
            if (type_ is None or source.type == type_.value) and (not osname or source.osname == osname)
        ]
        if not chosen:
            whose = f"none of {', '.join(names)} is" if names else f"{engine.mirrors.path} has no source"
            raise UsageError(f"{whose} of that type and system")
        outcomes = content.clone(engine, engine.mirrors.sources, chosen, wish)
    show_outcomes(outcomes, output)


@app.command("list")
def list_all(
    config: MirrorsOption = None, destination: DestinationOption = None, output: OutputOption = Output.AUTO
) -> None:
    """List the mirrors that are there."""
    from orchestrator import content
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.config.quantities import show_size

    with open_engine(config, destination, output) as engine:
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


app.command()(mirror_questions.packages)
app.command()(mirror_questions.search)
app.command()(mirror_questions.unresolved)
app.command()(mirror_questions.why)


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
    type_: Annotated[
        Type | None,
        typer.Option("--type", help="Of local files: file takes any.", show_default=False),
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
    with open_engine(config, destination, output, quiet=False) as engine:
        if source:
            outcome = content.create_from_upstream(
                engine, name, source, listed, dependencies=dependencies, sign_with=sign_with
            )
        else:
            kind = type_.value if type_ else ""
            outcome = content.create_from_files(engine, name, files or (), type_=kind, sign_with=sign_with)
    show_outcomes([outcome], output)


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

    with open_engine(config, destination, Output.AUTO if output is Output.JSON else output) as engine:
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

    with open_engine(config, destination, output) as engine:
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

    with open_engine(config, destination, output) as engine:
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

    with open_engine(config, destination, Output.AUTO) as engine:
        place = address or (engine.store(name).published.as_uri() + "/")
        typer.echo(content.client_config(engine, name, place), nl=False)
