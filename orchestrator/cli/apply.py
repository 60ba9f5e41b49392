# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator apply -f content.yaml`: bring the catalog to a declared state, and show the difference first."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.content_options import open_workspace
from orchestrator.cli.options import ConfigOption, Output, OutputOption
from orchestrator.errors import Unanswered

if TYPE_CHECKING:
    from orchestrator.content.declaration.state import Change
    from orchestrator.content.workspace import Workspace

app = typer.Typer(add_completion=False)


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="What the catalog is to be.")],
    prune: Annotated[
        bool, typer.Option("--prune", help="Also delete what the file does not declare.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show the difference.")] = False,
    config: ConfigOption = None,
    output: OutputOption = Output.AUTO,
) -> None:
    """Bring the catalog to a declared state."""
    from orchestrator.content.declaration.applying import changes_to
    from orchestrator.content.declaration.file import load_declaration

    declared = load_declaration(file)
    with open_workspace(config, output) as workspace:
        changes = changes_to(workspace, declared, prune=prune)
        bring_about(workspace, changes, output, yes=yes, dry_run=dry_run)


def bring_about(
    workspace: "Workspace", changes: "Sequence[Change]", output: Output, *, yes: bool, dry_run: bool
) -> None:
    """Show changes, ask, do them. Raises Unanswered when there is nobody to ask."""
    from orchestrator.cli.content_wording import change_lines
    from orchestrator.cli.terminal import ask_yes, can_ask, say, show_json
    from orchestrator.cli.wording import Line
    from orchestrator.content.declaration.applying import apply as do

    as_json = output is Output.JSON
    if not as_json:
        say([line for change in changes for line in change_lines(change)], output)
    if changes and not dry_run:
        if not yes and (as_json or not can_ask()):
            raise Unanswered("nobody is there to agree to the changes", hint="say --yes, or --dry-run")
        if not yes and not ask_yes(f"{len(changes)} changes. Make them?"):
            say([Line("Nothing was changed.")], output)
            return
        do(workspace, changes)
    if as_json:
        show_json({"applied": not dry_run, "changes": [change.to_json() for change in changes]})
    elif not changes:
        say([Line("Nothing to change.", "good")], output)
    elif not dry_run:
        say([Line(f"{len(changes)} changes made.", "good")], output)
