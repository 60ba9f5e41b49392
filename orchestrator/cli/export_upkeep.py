# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator export list`, `show`, `verify`, `delete`, `prune`, `pin`, `unpin`, `key`: what there is of exports."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.content_options import OrganizationOption
from orchestrator.cli.export_options import IdArgument, IdsArgument, open_exports, size_of
from orchestrator.cli.options import ConfigOption, Output, OutputOption, seconds_of
from orchestrator.errors import ExitCode


def list_all(
    organization: OrganizationOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List exports, also those that are not finished, the newest first."""
    from orchestrator.cli.export_wording import COLUMNS, base_text, record_document, record_row
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.content.exports import records

    with open_exports(config, output, quiet=True) as workspace:
        everything = records.all_records(workspace)
    found = [each for each in everything if not organization or each.organization == organization]
    rows = [(each, records.size_of(each), records.base_of(each)) for each in found]
    if output is Output.JSON:
        show_json([record_document(*row) for row in rows])
    elif not rows:
        typer.echo("No export yet.")
    else:
        table = [record_row(each, size, base_text(base, everything)) for each, size, base in rows]
        show_table(COLUMNS, table, output)


def show(name: IdArgument, config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Show one export: what it holds, its chunks, and the receipt that an import of it leads to."""
    from orchestrator.cli.export_wording import base_text, full_document, full_lines
    from orchestrator.cli.layout import in_columns
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.content.exports import records
    from orchestrator.content.exports.checking import chunk_file_name

    with open_exports(config, output, quiet=True) as workspace:
        record = records.find(workspace, name)
        everything = records.all_records(workspace)
    manifest = records.manifest_of(record)
    files = [chunk_file_name(manifest, each.number) for each in manifest.chunks]
    document = full_document(record, manifest, records.size_of(record), files)
    if output is Output.JSON:
        show_json(document)
    else:
        say(in_columns(full_lines(document, base_text(manifest.base, everything))), output)


def verify(
    name: Annotated[
        str,
        typer.Argument(metavar="ID|PATH", help="Number or id of an export, or a directory or medium of one."),
    ],
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust", metavar="KEY", help="Also believe who has this public key (PEM).", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Verify the signature, the checksums, and every object of every chunk of an export."""
    from orchestrator.cli.export_wording import verification_lines
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.content.exports import checking

    with open_exports(config, output, quiet=output is Output.JSON) as workspace:
        found = checking.verify(workspace, name, trust or ())
    if output is Output.JSON:
        show_json(found.to_json())
    else:
        say(verification_lines(found), output)
    if not found.ok:
        raise typer.Exit(int(ExitCode.STEP_FAILED))


def delete(names: IdsArgument, config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Remove exports, their files and their records."""
    from orchestrator.cli.export_wording import removed_lines
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.content.exports import pruning

    with open_exports(config, output, quiet=output is Output.JSON) as workspace:
        removed = pruning.delete(workspace, names)
    if output is Output.JSON:
        show_json(removed.to_json())
    else:
        say(removed_lines(removed, orphans_too=False), output)


def prune(
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Of each subject and destination so many.", show_default=False
        ),
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="DURATION", help="Those that are older, like 90d.", show_default=False
        ),
    ] = "",
    max_size: Annotated[
        str,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="The oldest beyond this size of all, like 500G.",
            show_default=False,
        ),
    ] = "",
    bases: Annotated[
        bool,
        typer.Option("--with-bases", help="Also what the newest increment of a destination is built on."),
    ] = False,
    orphans: Annotated[
        bool,
        typer.Option("--orphans", help="Also directories that belong to no export; else they are listed."),
    ] = False,
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Remove exports by count, age and size: those given, else the configured ones.

    Pinned ones stay, and of each subject and destination the newest with all that it is built on.
    """
    from orchestrator.cli.export_wording import removed_lines
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.content.exports import pruning
    from orchestrator.content.settings import ExportRules

    given = ExportRules(keep or 0, seconds_of(older_than), size_of(max_size))
    with open_exports(config, output, quiet=output is Output.JSON) as workspace:
        rules = given if keep or older_than or max_size else workspace.settings.rules
        removed = pruning.prune(workspace, rules, bases=not bases, orphans=orphans)
    if output is Output.JSON:
        show_json(removed.to_json())
    else:
        say(removed_lines(removed, orphans_too=orphans), output)


def pin(
    names: IdsArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Let them go again.")] = False,
    config: ConfigOption = None,
) -> None:
    """Let exports stay, whatever rules for removing them say."""
    _pin(names, config, pinned=not undo)


def unpin(names: IdsArgument, config: ConfigOption = None) -> None:
    """Let pinned exports go when the rules say so."""
    _pin(names, config, pinned=False)


def _pin(names: list[str], config: Path | None, *, pinned: bool) -> None:
    from orchestrator.content.exports import pruning

    with open_exports(config, Output.AUTO, quiet=True) as workspace:
        found = pruning.set_pinned(workspace, names, pinned=pinned)
    for record in found:
        typer.echo(f"Export {record.number} is {'pinned' if pinned else 'not pinned any more'}.")


def key(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Print the public key of this server's exports, which receivers have to trust."""
    from orchestrator.cli.terminal import show_json
    from orchestrator.content.signing import server_key

    with open_exports(config, output, quiet=True) as workspace:
        public = server_key(workspace.settings.key_file).public
    if output is Output.JSON:
        show_json({"id": public.id, "key": public.pem.decode()})
        return
    sys.stdout.write(public.pem.decode())
    if sys.stderr.isatty():
        typer.echo(f"Its id is {public.id}. Receivers: orchestrator import trust FILE", err=True)
