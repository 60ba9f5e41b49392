# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of version 1: some thousand invented books, the same at every run, and their search index."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FIRST = "Ada Boris Clara Dmitri Elena Farid Greta Hugo Ines Jonas Kira Lew Mona Nils Olga Petra Quinn Rosa"
_LAST = "Abel Brandt Castro Dvorak Eliot Fontane Grimm Haas Ito Jansen Kovac Lem Moreau Novak Okafor Perez"
_WHICH = "Silent Distant Crooked Golden Hidden Burning Frozen Last Second Wandering Paper Glass Iron Salt"
_WHAT = "Lighthouse River Orchard Library Harbour Mountain Garden Engine Letter Mirror Bridge Winter Island"
_WHERE = "Lisbon Riga Cairo Bergen Quito Hanoi Dublin Oran Kyoto Gdansk Havana Tunis Bern Malmo"


@dataclass(frozen=True)
class Book:
    number: int
    title: str
    author: str
    year: int


def generate(count: int) -> Iterator[Book]:
    chance = random.Random(1812)
    which, what, where, first, last = (words.split() for words in (_WHICH, _WHAT, _WHERE, _FIRST, _LAST))
    for number in range(1, count + 1):
        title = f"The {chance.choice(which)} {chance.choice(what)} of {chance.choice(where)}"
        author = f"{chance.choice(first)} {chance.choice(last)}"
        yield Book(number, title, author, chance.randint(1890, 2019))


def copy_statement(shelf: Iterable[Book]) -> str:
    """SQL for psql that loads `shelf` into version 1's table."""
    lines = [f"{book.number}\t{book.title}\t{book.author}\t{book.year}\n" for book in shelf]
    after = "select setval('book_id_seq', (select max(id) from book));\n"
    return f"copy book (id, title, author, year) from stdin;\n{''.join(lines)}\\.\n{after}"


def write_index(path: Path, shelf: Sequence[Book]) -> None:
    """The search index as version 1 keeps it (product/1.0/index_format.py)."""
    words: dict[str, list[int]] = {}
    for book in shelf:
        for word in sorted(set(book.title.lower().split())):
            words.setdefault(word, []).append(book.number)
    path.write_text(json.dumps({"format": 1, "words": words}))
