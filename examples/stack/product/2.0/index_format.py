# SPDX-License-Identifier: GPL-3.0-or-later
"""The search index of version 2: a line `bookshelf-index 2`, then `word<tab>book id ...`, words in order."""

from pathlib import Path

HEADING = "bookshelf-index 2"


def read(path: Path) -> dict[str, list[int]]:
    """The index in `path`. Raises ValueError when it has another format."""
    lines = path.read_text().splitlines()
    if lines[:1] != [HEADING]:
        raise ValueError(f"{path} is no index of format 2, and this version reads no other")
    pairs = (line.split("\t") for line in lines[1:])
    return {word: [int(book) for book in books.split()] for word, books in pairs}


def write(path: Path, words: dict[str, list[int]]) -> None:
    lines = [f"{word}\t{' '.join(map(str, books))}" for word, books in sorted(words.items())]
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text("\n".join([HEADING, *lines]) + "\n")
    temporary.replace(path)
