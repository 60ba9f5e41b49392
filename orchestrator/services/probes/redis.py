# SPDX-License-Identifier: GPL-3.0-or-later
"""`redis`: PING is answered by PONG. A server that loads its data, or has lost its master, says so.

A server that wants a password and was given none is taken as ready: it answers, and says no more.
Nothing of what it says about a password is repeated: an unknown command comes back with its arguments.
"""

from pathlib import Path

from orchestrator.config import model
from orchestrator.host.sockets import Conversation, split_address, why
from orchestrator.services.service import READY, Marks, Readiness, Verdict, starting

DEFAULT_ADDRESS = "127.0.0.1:6379"
_LONGEST = 1024


class Redis:
    def __init__(self, spec: model.RedisProbe) -> None:
        self._spec = spec
        self._where = str(spec.path or spec.address or DEFAULT_ADDRESS)

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        try:
            password = self._password()
        except OSError as error:
            return starting(f"{self._where}: the password file {self._spec.password_file}: {why(error)}")
        try:
            with Conversation(self._address(), self._spec.timeout) as conversation:
                return self._talk(conversation, password)
        except OSError as error:
            return starting(f"{self._where}: {why(error)}")

    def _address(self) -> tuple[str, int] | Path:
        return self._spec.path or split_address(self._spec.address or DEFAULT_ADDRESS)

    def _password(self) -> bytes | None:
        """The first line of the password file; None when there is no such file to use."""
        if self._spec.password_file is None:
            return None
        return self._spec.password_file.read_bytes().partition(b"\n")[0].rstrip(b"\r")

    def _talk(self, conversation: Conversation, password: bytes | None) -> Verdict:
        auth = "" if password is None else _code(_request(conversation, b"AUTH", password))
        reply = _request(conversation, b"PING") if auth != "WRONGPASS" else ""
        # Before Redis 6 a wrong password was an ERR like many others; PING tells whether it was taken.
        if auth == "WRONGPASS" or (auth and _code(reply) == "NOAUTH"):
            return Verdict(
                Readiness.FAILED, f"{self._where}: refuses the password in {self._spec.password_file}"
            )
        if reply == "+PONG" or (_code(reply) == "NOAUTH" and password is None):
            return READY
        if not reply.startswith("-"):
            return starting(f"{self._where}: this is no answer of a Redis server: {reply[:20]!r}")
        return starting(f"{self._where}: {reply[1:]}")


def _request(conversation: Conversation, *words: bytes) -> str:
    """Send one command; the line it is answered with. Raises ConnectionError when the server hangs up."""
    parts = (b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    conversation.send(b"*%d\r\n%b" % (len(words), b"".join(parts)))
    line = conversation.incoming.readline(_LONGEST)
    if not line:
        raise ConnectionError("it closed the connection without an answer")
    return line.decode("utf-8", "replace").strip()


def _code(reply: str) -> str:
    """The first word of an error (`WRONGPASS`); empty for any other reply."""
    return reply[1:].partition(" ")[0] if reply.startswith("-") else ""
