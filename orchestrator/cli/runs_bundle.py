# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs bundle`: everything support asks for, in one file, without its secrets."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import ConfigOption, read_setting
from orchestrator.config.quantities import parse_size, show_size
from orchestrator.errors import Invalid, UsageError

if TYPE_CHECKING:
    from orchestrator.upgrade.bundle.making import Made
    from orchestrator.upgrade.bundle.subject import Subject


def _size(text: str) -> int:
    try:
        return max(1 << 10, parse_size(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def bundle(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id or number of a run; `last` is the newest.")
    ] = "last",
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write; - is stdout. Else orchestrator-bundle-RUN.tar.zst here.",
            show_default=False,
        ),
    ] = "",
    most: Annotated[
        str, typer.Option("--log-size", metavar="SIZE", help="Of a longer log, only both ends go in.")
    ] = "4 MiB",
    config: ConfigOption = None,
) -> None:
    """Pack what support needs to see of a run and its host into one file; secrets are removed."""
    from orchestrator.upgrade.bundle import making

    subject = _subject(config, run)
    limit = _size(most)
    if output == "-":
        if sys.stdout.isatty():
            raise UsageError("a bundle is no text for a terminal", hint="name a file: -o FILE, or send it on")
        with _telling() as tell:
            made = making.stream_bundle(subject, sys.stdout.fileno(), limit, tell)
    else:
        path = _target(output or making.default_name(subject))
        with _telling() as tell:
            made = making.write_bundle(subject, path, limit, tell)
    _conclude(made)


def _subject(config: Path | None, run: str) -> "Subject":
    """Also where the configuration has errors: then a bundle is needed most."""
    from orchestrator.config.load import find_config
    from orchestrator.upgrade.bundle.subject import make_subject

    path = find_config(config).absolute()
    try:
        setting, problem = read_setting(config), ""
    except Invalid as error:
        setting, problem = None, "\n".join([error.message, *(f"  {one}" for one in error.problems)])
        typer.echo(f"orchestrator: {error.message}; the bundle is made with what can be read", err=True)
    return make_subject(path, setting, problem, run)


def _target(name: str) -> Path:
    path = Path(name).absolute()
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint=f"name a file: -o {path}/bundle.tar.zst")
    if not path.parent.is_dir():
        raise UsageError(f"there is no directory {path.parent}")
    return path


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """What is collected now, on one line of a terminal; nothing elsewhere."""
    from orchestrator.cli.layout import crop
    from orchestrator.cli.wording import clean

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    width = 78

    def tell(name: str) -> None:
        sys.stderr.write(f"\r\x1b[K{crop(f'Collecting {clean(name)}', width)}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _conclude(made: "Made") -> None:
    found = made.collection
    where = f"{made.path} ({show_size(made.size)})" if made.path else "The bundle"
    told = [f"{where}: {found.summary()}."]
    if found.missing:
        number = len(found.missing)
        told.append(
            f"{number} thing{'' if number == 1 else 's'} could not be collected; CONTENTS.txt says why."
        )
    told.append("Look at CONTENTS.txt, and through the files, before you send it.")
    if made.path is None:
        sys.stderr.write("".join(f"{line}\n" for line in told))
        return
    from orchestrator.cli.terminal import say
    from orchestrator.cli.wording import Line

    say(Line(line) for line in told)
