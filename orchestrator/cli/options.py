# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that many commands share, and how a command gets at its setting."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.config.quantities import parse_duration
from orchestrator.errors import Invalid

if TYPE_CHECKING:
    from orchestrator.upgrade.setting import Setting


class Output(StrEnum):
    """How results are shown: `auto` is rich on a terminal and plain elsewhere."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"


def _remember(ctx: typer.Context, value: Output) -> Output:
    root = ctx.find_root()
    root.ensure_object(dict)["json"] = value is Output.JSON
    return value


def _words(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("a reason has words")
    return text


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file; else $ORCHESTRATOR_CONFIG, else /etc/orchestrator/orchestrator.yaml.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Output,
    typer.Option("--output", "-o", callback=_remember, help="How to show the result.", show_default=True),
]
WaitLockOption = Annotated[
    str,
    typer.Option(
        "--wait-lock", metavar="DURATION", help="Wait so long for another run to end.", show_default=False
    ),
]
WaitPackagesOption = Annotated[
    str,
    typer.Option(
        "--wait-packages",
        metavar="DURATION",
        help="Wait so long until nobody else installs packages.",
        show_default=False,
    ),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", callback=_words, help="Why; it is recorded.")
]


def tell_waiting(holder: str) -> None:
    typer.echo(f"Waiting for {holder} to end ...", err=True)


def seconds_of(text: str) -> float:
    """The seconds of a duration option; empty means none."""
    return _duration(text) if text else 0.0


def read_setting(config: Path | None, *, with_steps: bool = False) -> "Setting":
    """The configuration a command works with. Raises Invalid with all its errors, and `with_steps` also those
    of the phases and scripts it names."""
    # Here, for commands that need none of it: `mirror` knows no services and steps.
    from orchestrator.cli.actions import known_actions
    from orchestrator.config.load import find_config, load_config
    from orchestrator.upgrade.setting import Setting

    path = find_config(config).absolute()
    registry = known_actions()
    try:
        return Setting(load_config(path), path, registry)
    except Invalid as error:
        if with_steps and error.problems:
            from orchestrator.upgrade.survey import more_problems

            error.problems = (*error.problems, *more_problems(path, registry))
        raise
