# SPDX-License-Identifier: GPL-3.0-or-later
"""What the `mirror` commands share: options, the engine of a mirrors.yaml, outcomes and their exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Output
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator import content


class Type(StrEnum):
    DEB = "deb"
    RPM = "rpm"
    FILE = "file"


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
def open_engine(
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


def show_outcomes(outcomes: "list[content.Outcome]", output: Output) -> None:
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
