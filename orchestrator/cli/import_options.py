# SPDX-License-Identifier: GPL-3.0-or-later
"""What the `import` commands share: options, and the media that were named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.content.exports.media import MediumReader

MediaArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH",
        help="Media: directories (mounted, or of chunks), tar, tgz and ISO files; - reads standard input. "
        "Without any: what is here already of imports that go on.",
        show_default=False,
    ),
]
TrustOption = Annotated[
    list[Path] | None,
    typer.Option("--trust", metavar="KEY", help="Trust this public key, this once.", show_default=False),
]
NoCreateOption = Annotated[
    bool, typer.Option("--no-create", help="Make no organization, product, repository, key or view.")
]
OlderOption = Annotated[
    bool, typer.Option("--allow-older", help="Go back to content that is older than what is here.")
]
IntoOption = Annotated[
    str,
    typer.Option(
        "--organization",
        "-O",
        metavar="ORG",
        help="Import into this organization, not the one of the export.",
        show_default=False,
    ),
]
ExportArgument = Annotated[str, typer.Argument(metavar="EXPORT", help="The export's id, or how it begins.")]


def check_file(path: Path | None) -> None:
    """Before anything is done: whether a file can be made there at all. Raises Invalid."""
    if path is not None and not path.parent.is_dir():
        from orchestrator.errors import Invalid

        raise Invalid(f"{path}: there is no directory {path.parent}", hint=f"mkdir -p {path.parent}")


@contextmanager
def opened(paths: Sequence[Path] | None) -> "Iterator[list[MediumReader]]":
    """The media at these paths."""
    from orchestrator.content.imports.opening import open_media

    media = open_media(paths) if paths else []
    try:
        yield media
    finally:
        for medium in media:
            medium.close()
