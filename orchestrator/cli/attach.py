# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator attach`."""

import typer

app = typer.Typer(add_completion=False)


@app.command()
def attach() -> None:
    """To be written."""
