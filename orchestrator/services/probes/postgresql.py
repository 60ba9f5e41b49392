# SPDX-License-Identifier: GPL-3.0-or-later
"""`postgresql`: the server takes connections, judged as pg_isready does, without libpq and without a password.

A start-up message is answered by a demand for authentication, or by an error. Any error but "cannot
connect now" (no such user, no such database, too many connections) comes from a server that works.
"""

import contextlib
import io
import struct
from pathlib import Path

from orchestrator.config import model
from orchestrator.host.sockets import Conversation, why
from orchestrator.services.service import READY, Marks, Verdict, starting

PROTOCOL_3_0 = 3 << 16
CANNOT_CONNECT_NOW = "57P03"
_LONGEST = 1 << 16
_HEADER = struct.Struct("!cI")
_AUTHENTICATED = struct.pack("!I", 0)
_TERMINATE = _HEADER.pack(b"X", 4)


class Postgresql:
    def __init__(self, spec: model.PostgresqlProbe) -> None:
        self._spec = spec
        self._address: tuple[str, int] | Path = (spec.host, spec.port)
        self._where = f"{spec.host}:{spec.port}"
        if spec.host.startswith("/"):
            self._address = Path(spec.host) / f".s.PGSQL.{spec.port}"
            self._where = str(self._address)

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        try:
            with Conversation(self._address, self._spec.timeout) as conversation:
                conversation.send(self._startup_message())
                fault = _fault(conversation)
        except OSError as error:
            fault = why(error)
        return starting(f"{self._where}: {fault}") if fault else READY

    def _startup_message(self) -> bytes:
        words = (
            "user",
            self._spec.user,
            "database",
            self._spec.database,
            "application_name",
            "orchestrator",
            "",
        )
        body = struct.pack("!I", PROTOCOL_3_0) + b"".join(word.encode() + b"\0" for word in words)
        return struct.pack("!I", len(body) + 4) + body


def _fault(conversation: Conversation) -> str:
    """Why the server does not accept connections; empty when it does."""
    incoming = conversation.incoming
    header = incoming.read(_HEADER.size)
    if not header:
        return "it closed the connection without an answer"
    kind, length = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
    if kind not in (b"R", b"E") or not 4 < length < _LONGEST:
        return f"this is no answer of a PostgreSQL server: {header!r}"
    body = incoming.read(length - 4)
    if kind == b"R":
        if body == _AUTHENTICATED:
            _leave(conversation, incoming)
        return ""
    if len(body) < length - 4:
        return "it closed the connection in the middle of its answer"
    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0")}
    message, detail = fields.get(b"M", "an error without a message"), fields.get(b"D", "")
    if fields.get(b"C", CANNOT_CONNECT_NOW) == CANNOT_CONNECT_NOW:
        return f"{message} ({detail})" if detail else message
    return ""


def _leave(conversation: Conversation, incoming: io.BufferedIOBase) -> None:
    """Say good-bye and wait until the session has ended: the server's log gets no complaint."""
    with contextlib.suppress(OSError):
        conversation.send(_TERMINATE)
        while incoming.read(4096):
            pass
