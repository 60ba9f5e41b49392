# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies where in the packages: decided from the checkout's list of files, before anything is written.

An entry is a file, a link or a directory of the installed system. The same entries make the .deb and the .rpm.
The vendored dependencies, thousands of files that nobody names, are not among them: see `vendor`.
"""

import gzip
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LIBRARY = "usr/lib/orchestrator/python"
SHARE = "usr/share/orchestrator"
DOC = "usr/share/doc/orchestrator"
UNITS = "usr/lib/systemd/system"
# The administrator's own, and what the program writes: empty in the packages.
EMPTY_DIRECTORIES = ("etc/orchestrator/scripts.d", "etc/orchestrator/phases")
CONFFILES = ("etc/logrotate.d/orchestrator",)
_PLACES = (
    (r"(orchestrator/.+)", rf"{LIBRARY}/\1"),
    (r"((?:phases|scripts\.d)/.+)", rf"{SHARE}/\1"),
    (r"man/(.+\.(\d))", r"usr/share/man/man\2/\1.gz"),
    (r"packaging/systemd/(.+\.conf)", rf"{SHARE}/systemd/\1"),
    (r"packaging/systemd/(.+\.preset)", r"usr/lib/systemd/system-preset/\1"),
    (r"packaging/systemd/(.+)", rf"{UNITS}/\1"),
    (r"packaging/logrotate", r"etc/logrotate.d/orchestrator"),
    (r"packaging/orchestrator\.yaml", rf"{DOC}/examples/orchestrator.yaml"),
    (r"CHANGELOG\.md", rf"{DOC}/CHANGELOG.md.gz"),
    (r"(?:docs/)?([^/]+\.md)", rf"{DOC}/\1"),
    # The demo runs from a checkout only.
    (r"(examples/(?!stack/).+)", rf"{DOC}/\1"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """`path` has no leading slash. One of `content`, `source` (a file to copy), `link`; none: a directory."""

    path: str
    content: bytes | None = None
    source: Path | None = None
    link: str | None = None
    executable: bool = False

    @property
    def mode(self) -> int:
        directory = self.content is None and self.source is None and self.link is None
        return 0o755 if directory or self.executable else 0o644


def layout(
    checkout: Path, files: Iterable[PurePosixPath], python: str, scripts: dict[str, str]
) -> list[Entry]:
    """Every entry, by path. `files`: the checkout's, relative to it. `python`: the ABI, like 3.11.
    `scripts`: shell -> the completion script that the program itself makes."""
    entries = [entry for file in files if (entry := _entry(checkout, file))]
    launcher = (checkout / "packaging" / "launcher.in").read_text().replace("@PYTHON@", python)
    entries += [
        Entry("usr/bin/orchestrator", launcher.encode(), executable=True),
        Entry("usr/lib/motd.d/orchestrator", link="/var/lib/orchestrator/motd"),
        Entry("usr/share/bash-completion/completions/orchestrator", scripts["bash"].lstrip().encode()),
        Entry("usr/share/zsh/site-functions/_orchestrator", autoloaded(scripts["zsh"]).encode()),
        Entry("usr/share/fish/vendor_completions.d/orchestrator.fish", scripts["fish"].lstrip().encode()),
        *(Entry(directory) for directory in EMPTY_DIRECTORIES),
    ]
    return sorted(entries, key=lambda entry: entry.path)


def destination(file: str) -> str | None:
    """Where a file of the checkout goes; None: into no package. A name that ends in .gz means that it is compressed."""
    for pattern, place in _PLACES:
        if found := re.fullmatch(pattern, file):
            return found.expand(place)
    return None


def _entry(checkout: Path, file: PurePosixPath) -> Entry | None:
    place = destination(str(file))
    source = checkout / file
    if place is None:
        return None
    if place.endswith(".gz"):
        return Entry(place, compressed(source.read_bytes()))
    runs = not place.startswith(LIBRARY) and is_executable(source)
    return Entry(place, source=source, executable=runs)


def is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def compressed(data: bytes) -> bytes:
    """As `gzip -9n` does: neither a name nor a time."""
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=stream, mtime=0) as file:
        file.write(data)
    return stream.getvalue()


def autoloaded(script: str) -> str:
    """typer's script for zsh as a file of $fpath: `#compdef` comes first, and the first TAB completes already."""
    told = "compdef _orchestrator_completion orchestrator"
    if told not in script:
        raise ValueError(f"typer's completion for zsh has no line {told!r} any more:\n{script}")
    first = (
        f'if [ "$funcstack[1]" = _orchestrator ]; then\n  _orchestrator_completion "$@"\nelse\n  {told}\nfi'
    )
    return script.lstrip().replace(told, first)


def package_version(version: str) -> str:
    """A Python version as deb and rpm sort it: 1.2rc1 comes before 1.2."""
    found = re.fullmatch(r"(\d+(?:\.\d+)*)((?:a|b|rc)\d+)?(?:\.(dev\d+))?", version)
    if not found:
        raise ValueError(f"{version} is no version that deb and rpm can sort")
    return "~".join(part for part in found.groups() if part)
