# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator hook`."""

import typer

app = typer.Typer(add_completion=False)


@app.command()
def hook() -> None:
    """To be written."""
