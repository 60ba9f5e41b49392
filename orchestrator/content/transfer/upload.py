# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads: a chunk goes to a server as it is written, by PUT, and is nowhere else.

libcurl asks for bytes when it can send some, a writer gives them when it has some: between the two, which run in
threads of their own, is a queue of some MiB. Who gives is held up while it is full.
"""

import base64
import queue
import re
import threading
from types import TracebackType
from typing import Any, Self

from orchestrator.content.source import Access, Common
from orchestrator.content.transfer.access import Standing, apply, headers_of, login_of
from orchestrator.content.transfer.addresses import origin_of, shown, split_userinfo
from orchestrator.content.transfer.reply import Head
from orchestrator.errors import Invalid, TransferFailed

_PIECE, _PIECES = 1 << 20, 8
_BUFFER = 512 << 10
_TURN = 0.2  # seconds between looks at whether the other thread has given up
# Of an answer that is not 2xx, so much is read, and so much is told.
_MOST_READ, _MOST_TOLD = 16 << 10, 300
# A server may have a lot to do with what it got before it answers: seconds.
_PATIENCE = 600.0
_TAGS = re.compile(r"<(?:style|script|head)\b.*?</(?:style|script|head)>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class UploadSink:
    """A sink that PUTs what is written to `url`. `length` is how much it will be, if that is known. Redirections
    are not followed: what was sent is gone.

    `finish` returns when the server has said that it has it. Raises TransferFailed, with the server's words; Invalid
    for an address that cannot be, and for a password that cannot be read.
    """

    def __init__(self, url: str, access: Access, common: Common, *, length: int | None = None) -> None:
        self.url, userinfo = split_userinfo(url)
        origin = origin_of(self.url)
        if origin.scheme not in ("http", "https") or not origin.host:
            raise Invalid(f"{shown(url)} is no address that chunks can be sent to", hint="https://HOST/PATH")
        self.size = 0
        self._stall = common.stall_timeout
        self._pieces: queue.Queue[bytes] = queue.Queue(_PIECES)
        self._rest = memoryview(b"")
        self._given_up = self._ended = False
        self._lines: list[bytes] = []
        self._answer = bytearray()
        self._failure = ""
        standing = Standing(access, own=True, tls=origin.scheme == "https", userinfo=userinfo)
        self._secrets = _secrets(*(userinfo or login_of(access)))
        self._thread = threading.Thread(
            target=self._run, args=(self._request(standing, common, length),), daemon=True
        )
        self._thread.start()

    def _request(self, standing: Standing, common: Common, length: int | None) -> Any:
        import pycurl

        easy = pycurl.Curl()
        apply(easy, standing, common)
        for option, value in {
            pycurl.URL: self.url,
            pycurl.UPLOAD: 1,
            pycurl.UPLOAD_BUFFERSIZE: _BUFFER,
            # Without a length, bytes are sent in chunks of HTTP, which is in 1.1.
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.LOW_SPEED_TIME: 0,  # who gives bytes may be slow; and `write` sees that none are taken
            pycurl.MAX_SEND_SPEED_LARGE: common.rate_limit,
            pycurl.NOPROGRESS: 0,
            pycurl.XFERINFOFUNCTION: lambda *_: int(self._given_up),
            pycurl.READFUNCTION: self._give,
            pycurl.WRITEFUNCTION: self._take_answer,
            pycurl.HEADERFUNCTION: self._lines.append,
            pycurl.HTTPHEADER: [*headers_of(standing), "Content-Type: application/octet-stream"],
        }.items():
            easy.setopt(option, value)
        if length is not None:
            easy.setopt(pycurl.INFILESIZE_LARGE, length)
        return easy

    # In the thread that sends ---------------------------------------------------------------------

    def _run(self, easy: Any) -> None:
        import pycurl

        try:
            easy.perform()
        except pycurl.error as error:
            self._failure = shown(str(error.args[1] if len(error.args) > 1 else error))
        finally:
            easy.close()
            self._ended = True

    def _give(self, most: int) -> Any:
        """The next bytes, for libcurl; none at the end."""
        import pycurl

        while not self._rest:
            try:
                piece = self._pieces.get(timeout=_TURN)
            except queue.Empty:
                if self._given_up:
                    return pycurl.READFUNC_ABORT
                continue
            if not piece:
                return b""
            self._rest = memoryview(piece)
        some, self._rest = self._rest[:most], self._rest[most:]
        return bytes(some)

    def _take_answer(self, data: bytes) -> None:
        if len(self._answer) < _MOST_READ:
            self._answer += data

    # In the thread that writes --------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        for begin in range(0, len(view), _PIECE):
            piece = bytes(view[begin : begin + _PIECE])
            if not self._put(piece):
                self._fail()
            self.size += len(piece)

    def _put(self, piece: bytes) -> bool:
        """False when nobody takes pieces any more."""
        waited = 0.0
        while not self._ended:
            try:
                self._pieces.put(piece, timeout=_TURN)
                return True
            except queue.Full:
                waited += _TURN
                if waited > self._stall:
                    raise TransferFailed(
                        f"{self.url}: the server took nothing for {self._stall:.0f} s ({self.size} bytes sent)"
                    ) from None
        return False

    def finish(self) -> None:
        self._put(b"")
        self._thread.join(_PATIENCE)
        if not self._ended:
            raise TransferFailed(f"{self.url}: all was sent, but the server does not answer")
        if self._failure or Head(self._lines).status not in range(200, 300) or self._is_left():
            self._fail()

    def _is_left(self) -> bool:
        """Whether the server answered before it had all."""
        return bool(self._rest) or (not self._pieces.empty() and self._pieces.get_nowait() != b"")

    def _fail(self) -> None:
        raise TransferFailed(f"{self.url}: {self._reason()}", hint="the same command sends this chunk again")

    def _reason(self) -> str:
        status = Head(self._lines).status
        if status < 200:
            return self._failure or "the server ended the connection"
        line = next((each for each in reversed(self._lines) if each.startswith(b"HTTP/")), b"")
        said = " ".join(line.decode("latin-1").split()[1:])
        if 300 <= status < 400:
            return f"{said}: it redirects to {shown(Head(self._lines).field(b'location'))[:200]}; name that address"
        return f"{said}: {words}" if (words := self._words()) else said

    def _words(self) -> str:
        """What the server says to people, without what nobody should read."""
        text = _TAGS.sub(" ", self._answer.decode("utf-8", "replace"))
        text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:_MOST_TOLD]

    def discard(self) -> None:
        """End it; the server has seen an unfinished request, if not all was written."""
        self._given_up = True
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.discard()


def _secrets(user: str, password: str) -> list[str]:
    if not password:
        return []
    return [base64.b64encode(f"{user}:{password}".encode()).decode(), password]
