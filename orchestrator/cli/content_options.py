# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands of the content server share: options, the workspace, who asks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import Output
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.content.catalog.model import Actor
    from orchestrator.content.workspace import Workspace

OrganizationOption = Annotated[
    str,
    typer.Option(
        "--organization",
        "-O",
        metavar="ORG",
        help="The organization, if not the usual one.",
        show_default=False,
    ),
]
LabelArgument = Annotated[str, typer.Argument(metavar="LABEL", help="Its label.")]
PathArgument = Annotated[str, typer.Argument(metavar="PRODUCT/REPOSITORY", help="The repository.")]
TitleOption = Annotated[
    str | None, typer.Option("--name", metavar="TEXT", help="A name for people.", show_default=False)
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A key of a source of mirrors.yaml; the value is YAML. Empty removes it.",
        show_default=False,
    ),
]


def actor() -> "Actor":
    """Who sits at the keyboard, for the audit trail."""
    from orchestrator.content.catalog.model import Actor
    from orchestrator.host.facts import user_name

    behind = os.environ.get("SUDO_USER", "")
    return Actor(f"{behind} as {user_name()}" if behind else user_name(), "cli")


@contextmanager
def open_workspace(
    config: Path | None, output: Output, *, quiet: bool = True, follow: Output | None = None
) -> "Iterator[Workspace]":
    """The content server of the configuration; the first Ctrl-C ends what it does in good order. `quiet`: commands
    that answer a question tell only what is wrong beside the answer. `follow`: how events are shown, when not as
    the answer is."""
    from orchestrator.cli.mirror_views import watching
    from orchestrator.content.settings import read_settings
    from orchestrator.content.workspace import Workspace
    from orchestrator.host.signals import Interrupts

    shown = follow or (Output.AUTO if quiet and output is Output.JSON else output)
    with (
        Interrupts() as interrupts,
        watching(shown, quiet=quiet) as watch,
        Workspace(
            read_settings(config), actor(), watch=watch, stop=lambda: interrupts.stop_requested
        ) as workspace,
    ):
        yield workspace


def organization_of(workspace: "Workspace", option: str) -> str:
    return option or workspace.settings.organization


def read_overrides(given: Sequence[str] | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with the KEY=VALUE pairs of the command line. Raises UsageError."""
    import yaml

    found = dict(before)
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {text}: takes KEY=VALUE")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"--set {text}: the value is not YAML; quote what holds : or #") from None
        if read is None:
            found.pop(key, None)
        else:
            found[key] = read
    return found


def show_values(document: Mapping[str, Any], output: Output) -> None:
    """One thing with all that is known of it."""
    from orchestrator.cli.layout import Entry
    from orchestrator.cli.terminal import say, show_json

    if output is Output.JSON:
        show_json(document)
        return
    width = max(map(len, document)) + 2
    say([Entry(f"{key}:".ljust(width), _text(value)) for key, value in document.items()], output)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(each)}" for key, each in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "-"
    return str(value) if value not in ("", None) else "-"


def show_list(
    documents: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    output: Output,
    *,
    none: str = "There is none yet.",
) -> None:
    """A table of some of the keys of each document, or all of them as JSON."""
    from orchestrator.cli.terminal import say, show_json, show_table
    from orchestrator.cli.wording import Line

    if output is Output.JSON:
        show_json(list(documents))
    elif not documents:
        say([Line(none)], output)
    else:
        show_table(columns, [[_text(each[column]) for column in columns] for each in documents], output)
