# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator export ...`: content for a server that cannot be reached, and what became of earlier exports."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import export_upkeep
from orchestrator.cli.content_options import OrganizationOption
from orchestrator.cli.export_options import (
    ChunkSizeOption,
    DryRunOption,
    EnvironmentOption,
    ExportGroup,
    FetchOption,
    Format,
    FormatOption,
    ForOption,
    FromOption,
    IdArgument,
    NamesArgument,
    NetrcOption,
    OnlyOption,
    SignOption,
    SinceOption,
    StrictOption,
    ToOption,
    UntilOption,
    VersionOption,
    WhatArgument,
    open_exports,
    show_outcome,
)
from orchestrator.cli.options import ConfigOption, Output, OutputOption, WaitLockOption, seconds_of

app = typer.Typer(
    cls=ExportGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Export content for other servers, in full or as an increment. (--request FILE: see request.)",
)


@app.command()
def complete(
    what: WhatArgument,
    names: NamesArgument = None,
    version: VersionOption = None,
    environment: EnvironmentOption = "",
    format_: FormatOption = Format.TAR,
    chunk_size: ChunkSizeOption = "",
    strict_chunks: StrictOption = False,
    destination: ForOption = "",
    until: UntilOption = "",
    sign_with: SignOption = None,
    fetch_missing: FetchOption = False,
    dry_run: DryRunOption = False,
    only_chunk: OnlyOption = None,
    to: ToOption = "",
    netrc: NetrcOption = None,
    wait_lock: WaitLockOption = "",
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Export all of repositories, products, views, environments, or the library."""
    request = {
        "kind": "complete",
        "subject_kind": what.value,
        "names": tuple(names or ()),
        "organization": organization,
        "version": version,
        "environment": environment,
        "format": format_.value,
        "strict_chunks": strict_chunks,
        "destination": destination,
        "until": until,
        "sign_with": sign_with,
    }
    wish = _wish(
        to, netrc, wait_lock, only_chunk=only_chunk or 0, dry_run=dry_run, fetch_missing=fetch_missing
    )
    _export(request, chunk_size, wish, config, output)


@app.command()
def incremental(
    what: WhatArgument,
    names: NamesArgument = None,
    version: VersionOption = None,
    environment: EnvironmentOption = "",
    base: FromOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    format_: FormatOption = Format.TAR,
    chunk_size: ChunkSizeOption = "",
    strict_chunks: StrictOption = False,
    destination: ForOption = "",
    sign_with: SignOption = None,
    fetch_missing: FetchOption = False,
    dry_run: DryRunOption = False,
    only_chunk: OnlyOption = None,
    to: ToOption = "",
    netrc: NetrcOption = None,
    wait_lock: WaitLockOption = "",
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Export what is new since the last export to the destination, or since what --from or --since names."""
    request = {
        "kind": "increment",
        "subject_kind": what.value,
        "names": tuple(names or ()),
        "organization": organization,
        "version": version,
        "environment": environment,
        "format": format_.value,
        "strict_chunks": strict_chunks,
        "destination": destination,
        "since": since,
        "until": until,
        "base": base,
        "sign_with": sign_with,
    }
    wish = _wish(
        to, netrc, wait_lock, only_chunk=only_chunk or 0, dry_run=dry_run, fetch_missing=fetch_missing
    )
    _export(request, chunk_size, wish, config, output)


@app.command("request")
def answer(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `import` wrote of what it lacks.")],
    format_: FormatOption = Format.TAR,
    chunk_size: ChunkSizeOption = "",
    strict_chunks: StrictOption = False,
    sign_with: SignOption = None,
    fetch_missing: FetchOption = False,
    dry_run: DryRunOption = False,
    only_chunk: OnlyOption = None,
    to: ToOption = "",
    netrc: NetrcOption = None,
    wait_lock: WaitLockOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Export just the objects that a receiver lacks of an export and asks for; `--request FILE` is the same."""
    request = {
        "kind": "increment",
        "request_file": file,
        "format": format_.value,
        "strict_chunks": strict_chunks,
        "sign_with": sign_with,
    }
    wish = _wish(
        to, netrc, wait_lock, only_chunk=only_chunk or 0, dry_run=dry_run, fetch_missing=fetch_missing
    )
    _export(request, chunk_size, wish, config, output)


@app.command()
def again(
    name: IdArgument,
    only_chunk: OnlyOption = None,
    to: ToOption = "",
    netrc: NetrcOption = None,
    sign_with: SignOption = None,
    dry_run: DryRunOption = False,
    wait_lock: WaitLockOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Make the same bytes of an earlier export, or of one chunk of it, once more."""
    from orchestrator.content.exports.running import export_again

    wish = _wish(to, netrc, wait_lock, only_chunk=only_chunk or 0, dry_run=dry_run)
    with open_exports(config, output, to) as workspace:
        outcome = export_again(workspace, name, wish, sign_with=sign_with)
    show_outcome(outcome, output, to)


def _wish(to: str, netrc: Path | None, wait_lock: str, **options: Any) -> Any:
    from orchestrator.content.exports.wish import Wish

    return Wish(to=to, netrc=netrc, wait_lock=seconds_of(wait_lock), **options)


def _export(request: dict[str, Any], chunk_size: str, wish: Any, config: Path | None, output: Output) -> None:
    from orchestrator.content.exports.request import ExportRequest, parse_chunk_size
    from orchestrator.content.exports.running import export

    asked = ExportRequest(chunk_size=parse_chunk_size(chunk_size), **request)
    with open_exports(config, output, wish.to) as workspace:
        outcome = export(workspace, asked, wish)
    show_outcome(outcome, output, wish.to)


app.command("list")(export_upkeep.list_all)
app.command()(export_upkeep.show)
app.command()(export_upkeep.verify)
app.command()(export_upkeep.delete)
app.command()(export_upkeep.prune)
app.command()(export_upkeep.pin)
app.command()(export_upkeep.unpin)
app.command()(export_upkeep.key)
