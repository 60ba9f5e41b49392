# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs report`: a run as a page, as Markdown, or as JSON."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, read_setting
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.upgrade.report import Report

_FORMATS = {".html": "html", ".htm": "html", ".json": "json", ".md": "markdown"}


def _remember(ctx: typer.Context, value: str) -> str:
    """Errors are told in JSON as well where JSON was asked for."""
    ctx.find_root().ensure_object(dict)["json"] = value == "json"
    return value


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id or number of a run; `last` is the newest.")
    ] = "last",
    config: ConfigOption = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT|FILE",
            callback=_remember,
            help="`markdown`, `html` or `json` to stdout, or a file to write: .html, .md or .json.",
        ),
    ] = "markdown",
) -> None:
    """Tell what became of a run: outcome, timeline, steps, output of what failed, consents, what is left to do."""
    from orchestrator.host import files
    from orchestrator.upgrade.bundle import known
    from orchestrator.upgrade.bundle.redaction import Redactor
    from orchestrator.upgrade.bundle.subject import read_document
    from orchestrator.upgrade.report import make_report
    from orchestrator.upgrade.runs import find_run

    format_, path = read_output(output)
    setting = read_setting(config)
    state_dir = setting.config.state_dir
    secrets = known.of_document(read_document(setting.path), setting.path.parent)
    made = make_report(
        state_dir,
        find_run(state_dir, run),
        product=setting.config.product.name,
        command=setting.command,
        redactor=Redactor(secrets),
    )
    text = render(made, format_)
    if path is None:
        sys.stdout.write(text)
        return
    # It holds output of steps: not for everybody.
    files.replace_file(path, text.encode(), mode=0o640)
    typer.echo(f"Report of run {made.run} written to {path.absolute()} ({made.headline})")


def read_output(value: str) -> tuple[str, Path | None]:
    """The format, and the file to write (None: stdout). Raises UsageError."""
    if value in _FORMATS.values():
        return value, None
    path = Path(value)
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise UsageError(
            f"{value!r} is neither a format nor the name of a file in one",
            hint="markdown, html, json; or a file whose name ends in .html, .htm, .md or .json",
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no directory {path.absolute().parent}")
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a directory")
    return format_, path


def render(made: "Report", format_: str) -> str:
    import json

    from orchestrator.upgrade.report import render_html, render_markdown

    match format_:
        case "html":
            return render_html(made)
        case "json":
            return json.dumps(made.to_json(), indent=1) + "\n"
    return render_markdown(made)
