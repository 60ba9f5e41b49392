# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator import ...`: what another server exported."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.content_options import open_workspace
from orchestrator.cli.import_options import (
    ExportArgument,
    IntoOption,
    MediaArgument,
    NoCreateOption,
    OlderOption,
    TrustOption,
    check_file,
    opened,
)
from orchestrator.cli.options import ConfigOption, Output, OutputOption, WaitLockOption, seconds_of
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.content.imports.outcome import ImportOutcome
    from orchestrator.content.workspace import Workspace

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Import what another server exported.")


@app.command()
def plan(
    paths: MediaArgument = None,
    trust: TrustOption = None,
    no_create: NoCreateOption = False,
    allow_older: OlderOption = False,
    organization: IntoOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Say what an import would do, and which objects are missing. Changes nothing.

    Exit status 4: some of it would be refused; 3: objects would be missing.
    """
    from orchestrator.cli.import_wording import plan_lines
    from orchestrator.cli.terminal import say, show_json
    from orchestrator.content.imports.deciding import Wish
    from orchestrator.content.imports.plan import plan as plan_import

    wish = Wish(create=not no_create, allow_older=allow_older, organization=organization)
    with open_workspace(config, output) as workspace, opened(paths) as media:
        planned = plan_import(workspace, media, wish, trust=trust or ())
    if output is Output.JSON:
        show_json(planned.to_json())
    else:
        say(plan_lines(planned), output)
    if planned.exit_code is not ExitCode.DONE:
        raise typer.Exit(int(planned.exit_code))


@app.command()
def run(
    paths: MediaArgument = None,
    trust: TrustOption = None,
    no_create: NoCreateOption = False,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Show nothing before all of an export can be shown.")
    ] = False,
    allow_older: OlderOption = False,
    request_file: Annotated[
        Path | None,
        typer.Option(
            "--request-file",
            metavar="FILE",
            help="Write what is missing there, for the sender's `export --request`.",
            show_default=False,
        ),
    ] = None,
    wait_lock: WaitLockOption = "",
    organization: IntoOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Import media; those of one export may come one by one, in any order.

    Exit status 3: all that was given was taken, and the import goes on, for objects are missing.
    """
    from orchestrator.content.imports.deciding import Wish
    from orchestrator.content.imports.running import run as run_import

    check_file(request_file)
    wish = Wish(
        create=not no_create,
        allow_older=allow_older,
        all_or_nothing=all_or_nothing,
        organization=organization,
    )
    with open_workspace(config, output, quiet=False) as workspace, opened(paths) as media:
        outcome = run_import(workspace, media, wish, trust=trust or (), wait_lock=seconds_of(wait_lock))
        requests = _write_requests(workspace, outcome, request_file) if request_file else []
    _show_outcome(outcome, requests, output)


def _write_requests(workspace: "Workspace", outcome: "ImportOutcome", path: Path) -> list[Path]:
    """A request of each import that goes on: at `path`, and further ones beside it. Raises OSError."""
    from orchestrator.cli.import_wording import SHORT
    from orchestrator.content.imports.requesting import request_file
    from orchestrator.host.files import replace_file

    written: list[Path] = []
    for export in outcome.exports:
        data = request_file(workspace, export.planned.id)
        if data is not None:
            place = path.with_name(f"{path.name}.{export.planned.id[:SHORT]}") if written else path
            replace_file(place, data)
            written.append(place)
    return written


def _show_outcome(outcome: "ImportOutcome", requests: list[Path], output: Output) -> None:
    from orchestrator.cli.import_wording import outcome_lines
    from orchestrator.cli.terminal import say
    from orchestrator.cli.wording import Line

    code = outcome.exit_code
    if output is Output.JSON:
        import json

        document = {"event": "result", **outcome.to_json(), "requests": [str(path) for path in requests]}
        typer.echo(json.dumps(document))
    else:
        say(outcome_lines(outcome), output)
        say([Line(f"The request for what is missing is in {path}.") for path in requests], output)
    if code is not ExitCode.DONE:
        raise typer.Exit(int(code))


@app.command("list")
def list_all(
    organization: Annotated[
        str,
        typer.Option("--organization", "-O", metavar="ORG", help="Only into this one.", show_default=False),
    ] = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """List the imports there were, and those that go on."""
    from orchestrator.cli.import_wording import list_row
    from orchestrator.cli.terminal import show_json, show_table
    from orchestrator.content.imports.listing import listing

    with open_workspace(config, output) as workspace:
        found = listing(workspace, organization)
    if output is Output.JSON:
        show_json([each.to_json() for each in found])
    elif not found:
        typer.echo("No import yet.")
    else:
        show_table(("export", "into", "last", "state", "of"), [list_row(each) for each in found], output)


@app.command()
def receipt(
    of: Annotated[
        str,
        typer.Argument(
            metavar="[EXPORT|ORG]", help="Of this import, or all into ORG; else the last.", show_default=False
        ),
    ] = "",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it there.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Print a signed receipt of what is here, for the sender's next increment (`export incremental --from`).

    Its digest is for those who type it there instead of carrying the file.
    """
    from orchestrator.cli.terminal import show_json
    from orchestrator.content.imports.receipt import receipt as receipt_of
    from orchestrator.content.imports.receipt import receipt_file
    from orchestrator.content.receipts import show_digest
    from orchestrator.host.files import replace_file

    check_file(to)
    with open_workspace(config, output) as workspace:
        made = receipt_of(workspace, of)
        data = receipt_file(workspace, made)
    digest = show_digest(made.digest)
    if to is not None:
        replace_file(to, data)
    if output is Output.JSON and to is not None:
        show_json({"file": str(to), "digest": digest, "export": made.export, "holdings": len(made.holdings)})
    elif to is not None:
        typer.echo(f"The receipt is in {to}. To type it: {digest}")
    else:
        typer.echo(data.decode(), nl=False)
        typer.echo(f"To type it: {digest}", err=True)


@app.command()
def trust(
    key: Annotated[
        Path | None,
        typer.Argument(
            metavar="KEY", help="A public key of who exports; lists them without.", show_default=False
        ),
    ] = None,
    remove: Annotated[
        str,
        typer.Option("--remove", metavar="ID", help="Trust the key no longer.", show_default=False),
    ] = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Trust who signs with a key from now on, or list the keys that are trusted."""
    from orchestrator.cli.terminal import show_json
    from orchestrator.content.settings import read_settings
    from orchestrator.content.signing import Trusted

    trusted = Trusted(read_settings(config).trusted)
    if key is not None:
        typer.echo(f"Trusted from now on: {trusted.trust(key).id}")
    if remove:
        typer.echo(f"Trusted no longer: {trusted.remove(remove).id}")
    if key is not None or remove:
        return
    if output is Output.JSON:
        show_json([{"id": known, "key": found.raw.hex()} for known, found in trusted.keys().items()])
    else:
        typer.echo("\n".join(trusted.keys()) or "No key is trusted yet: orchestrator import trust KEY")


@app.command()
def cancel(
    export: ExportArgument,
    wait_lock: WaitLockOption = "",
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """End an import that goes on. What is shown stays."""
    from orchestrator.cli.terminal import show_json
    from orchestrator.content.imports.listing import cancel as cancel_import

    with open_workspace(config, output) as workspace:
        record = cancel_import(workspace, export, wait_lock=seconds_of(wait_lock))
    if output is Output.JSON:
        show_json({"export": record.export_id, "organization": record.organization, "state": "cancelled"})
    else:
        typer.echo(f"The import of {record.export_id[:12]} is cancelled.")
