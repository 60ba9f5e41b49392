# SPDX-License-Identifier: GPL-3.0-or-later
"""What the `export` commands share: options, the workspace, outcomes and their exit status."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from orchestrator.cli.content_options import actor
from orchestrator.cli.options import Output
from orchestrator.config.quantities import parse_size
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.content.exports.outcome import ExportOutcome
    from orchestrator.content.workspace import Workspace

STANDARD_OUTPUT = "-"


class What(StrEnum):
    REPOSITORY = "repository"
    PRODUCT = "product"
    VIEW = "view"
    ENVIRONMENT = "environment"
    LIBRARY = "library"


class Format(StrEnum):
    DIR = "dir"
    TGZ = "tgz"
    TAR = "tar"
    ISO = "iso"


WhatArgument = Annotated[What, typer.Argument(metavar="WHAT", help="One of " + ", ".join(What) + ".")]
NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="PRODUCT/REPOSITORY, or the label of a product, view or environment; none for the library.",
        show_default=False,
    ),
]
VersionOption = Annotated[
    int | None,
    typer.Option(
        "--version", metavar="N", min=1, help="The version of a view; else the newest.", show_default=False
    ),
]
EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment", metavar="LABEL", help="The versions of views that it shows.", show_default=False
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        "-f",
        help="dir: trees that clients use as they are, hard links where that can be; tar; tgz; iso.",
    ),
]
ChunkSizeOption = Annotated[
    str,
    typer.Option(
        "--chunk-size",
        metavar="SIZE",
        help="What fits onto a medium: 4.7G, 4.3GiB, cd, dvd, dvd-dl, bd. One of any size without.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict-chunks", help="Refuse what is larger than a medium instead of cutting it.")
]
ForOption = Annotated[
    str,
    typer.Option(
        "--destination",
        metavar="SERVER",
        help="The receiver; each has a history of its own.",
        show_default=False,
    ),
]
SinceOption = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Built on what was there at 2026-01-31 or 2026-01-31T12:00:00Z.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    str,
    typer.Option(
        "--until", metavar="TIME", help="What was there at that time, not what is now.", show_default=False
    ),
]
FromOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="BASE",
        help="Built on this: number, id or path of an export; file or digest of a receipt.",
        show_default=False,
    ),
]
SignOption = Annotated[
    Path | None,
    typer.Option(
        "--sign-with",
        metavar="KEY",
        help="Ed25519 private key (PEM) instead of the server's own.",
        show_default=False,
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Say what would be written, to the byte, and change nothing.")
]
OnlyOption = Annotated[
    int | None,
    typer.Option(
        "--only-chunk",
        metavar="N",
        min=1,
        help="Make just this chunk: the same bytes each time.",
        show_default=False,
    ),
]
ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="TARGET",
        help="A directory, an https address (PUT), or - (standard output) instead of the usual place.",
        show_default=False,
    ),
]
NetrcOption = Annotated[
    Path | None,
    typer.Option(
        "--netrc",
        metavar="FILE",
        help="User and password for an https address, as curl has it.",
        show_default=False,
    ),
]
FetchOption = Annotated[
    bool, typer.Option("--fetch-missing", help="Bring in what is not here from where it comes from.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Number, or the first letters of the id.")]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID", help="Numbers, or the first letters of ids.")]


class ExportGroup(TyperGroup):
    """`export --request FILE ...` is `export request FILE ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, as_command(args))


def as_command(args: Sequence[str]) -> list[str]:
    """The words with a --request before any command as the command of that name."""
    for place, word in enumerate(args):
        if not word.startswith("-"):
            break
        option, equals, value = word.partition("=")
        if option == "--request":
            rest = [*args[:place], *args[place + 1 :]]
            return ["request", *([value] if equals else []), *rest]
    return list(args)


def size_of(text: str) -> int:
    """Bytes; empty is 0. Raises BadParameter."""
    try:
        return parse_size(text) if text else 0
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def open_exports(
    config: Path | None, output: Output, to: str = "", *, quiet: bool = False
) -> "Iterator[Workspace]":
    """The content server of the configuration. With standard output as the target nothing else goes there."""
    from orchestrator.cli.mirror_views import watching
    from orchestrator.content.settings import read_settings
    from orchestrator.content.workspace import Workspace
    from orchestrator.host.signals import Interrupts

    shown = Output.AUTO if quiet and output is Output.JSON else output
    with (
        Interrupts() as interrupts,
        watching(shown, quiet=quiet, aside=to == STANDARD_OUTPUT) as watch,
        Workspace(
            read_settings(config), actor(), watch=watch, stop=lambda: interrupts.stop_requested
        ) as found,
    ):
        yield found


def show_outcome(outcome: "ExportOutcome", output: Output, to: str) -> None:
    """What is left to say, and the exit status."""
    from orchestrator.cli.export_wording import outcome_lines
    from orchestrator.cli.terminal import say

    if output is Output.JSON:
        document = {"event": "result", **outcome.to_json()}
        stream = sys.stderr if to == STANDARD_OUTPUT else sys.stdout
        stream.write(json.dumps(document) + "\n")
    elif to == STANDARD_OUTPUT and outcome.state != "planned":
        sys.stderr.write("".join(f"{line.text}\n" for line in outcome_lines(outcome)))
    else:
        say(outcome_lines(outcome), output)
    if outcome.exit_code is not ExitCode.DONE:
        raise typer.Exit(int(outcome.exit_code))
