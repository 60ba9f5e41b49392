# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of an answer, from the lines libcurl hands over; read only as far as somebody asks."""

from orchestrator.content.model import Validators


class Head:
    """`lines` may hold several heads: of a proxy's CONNECT, of interim answers. The last one counts."""

    def __init__(self, lines: list[bytes]) -> None:
        first = len(lines) - 1
        while first > 0 and not lines[first].startswith(b"HTTP/"):
            first -= 1
        self._lines, self._first = lines, first
        status = lines[first].split(None, 2)[1:2] if lines else []
        self.status = int(status[0]) if status and status[0].isdigit() else 0

    def field(self, name: bytes) -> str:
        """The value of a field (its name in lower case); empty when there is none."""
        size = len(name)
        for line in self._lines[self._first + 1 :]:
            if line[size : size + 1] == b":" and line[:size].lower() == name:
                return line[size + 1 :].strip().decode("latin-1")
        return ""

    @property
    def length(self) -> int | None:
        """How many bytes the body has, where the answer says so."""
        text = self.field(b"content-length")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def validators(self) -> Validators:
        return Validators(self.field(b"etag"), self.field(b"last-modified"))
