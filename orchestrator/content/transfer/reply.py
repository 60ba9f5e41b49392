# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of an answer, from the lines libcurl hands over; read only as far as somebody asks."""

from orchestrator.content.model import Validators

_END = b"\r\n"


class Head:
    """`lines` may hold several heads: of a proxy's CONNECT, of interim answers. The last one counts."""

    __slots__ = ("_lines", "_text", "status")

    def __init__(self, lines: list[bytes]) -> None:
        if _END in lines[:-1]:
            first = max(index for index in range(len(lines)) if lines[index][:5] == b"HTTP/" or not index)
            lines = lines[first:]
        self._lines, self._text = lines, b""
        status = lines[0][:5] == b"HTTP/" and lines[0].split(None, 2)[1:2] if lines else []
        self.status = int(status[0]) if status and status[0].isdigit() else 0

    def field(self, name: bytes) -> str:
        """The value of a field (its name in lower case); empty when there is none."""
        text = self._text = self._text or b"".join(self._lines)
        start = text.lower().find(b"\n" + name + b":")
        if start < 0:
            return ""
        start += len(name) + 2
        return text[start : text.find(b"\n", start)].strip().decode("latin-1")

    @property
    def length(self) -> int | None:
        """How many bytes the body has, where the answer says so."""
        text = self.field(b"content-length")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def validators(self) -> Validators:
        return Validators(self.field(b"etag"), self.field(b"last-modified"))
