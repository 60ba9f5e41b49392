# SPDX-License-Identifier: GPL-3.0-or-later
"""Bookshelf's search service: its port is open long before it can answer.

    search.py start | stop | status | set KEY VALUE

Like many a search engine it opens its port at once and loads its index afterwards; meanwhile
/_cluster/health answers 503 and "red", then "yellow" (searches work) and "green". `status` answers by
the rules of LSB init scripts: 0 running, 1 dead with a pid file left, 3 stopped. Started by root, it
becomes the owner of its data directory.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import index_format
from settings import read_settings

SETTINGS = read_settings()
HOME = Path(SETTINGS["BOOKSHELF_HOME"])
PID_FILE = HOME / "run" / "search.pid"
LOG = HOME / "log" / "search.log"
DATA = HOME / "search"
OPTIONS = DATA / "options.json"
START_TIMEOUT = STOP_TIMEOUT = 15.0
WARMING_SECONDS = 0.5


class Index:
    """The words in memory, once they are loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.health = "red"
        self.words: dict[str, list[int]] = {}
        self.match_all = read_options().get("match", "all") == "all"
        self._lock = threading.Lock()

    def load(self, seconds: float) -> None:
        """Become ready; `seconds` stand for the time that a large index takes."""
        time.sleep(seconds)
        self.health = "yellow"
        time.sleep(WARMING_SECONDS)
        self.health = "green"

    def find(self, text: str) -> list[int]:
        """Numbers of books, the best match first."""
        wanted = set(words_of(text))
        found = Counter(book for word in wanted for book in self.words.get(word, ()))
        least = len(wanted) if self.match_all else 1
        return sorted((book for book, count in found.items() if count >= least), key=lambda b: (-found[b], b))

    def add(self, documents: list[tuple[int, str]]) -> None:
        """Index documents, again or for the first time, and keep the result on disk."""
        with self._lock:
            words = {word: set(books) for word, books in self.words.items()}
            for book, text in documents:
                for word in words_of(text):
                    words.setdefault(word, set()).add(book)
            self.words = {word: sorted(books) for word, books in words.items()}
            index_format.write(self.path, self.words)


def words_of(text: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)) for word in text.lower().split()]


def read_options() -> dict[str, str]:
    options: dict[str, str] = json.loads(OPTIONS.read_text()) if OPTIONS.exists() else {}
    return options


class Handler(BaseHTTPRequestHandler):
    index: Index

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        ready = self.index.health != "red"
        if url.path == "/_cluster/health":
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            self.answer(status, {"status": self.index.health})
        elif not ready:
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the index is being loaded"})
        elif url.path == "/search":
            self.answer(HTTPStatus.OK, {"hits": self.index.find(parse_qs(url.query).get("q", [""])[0])})
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": f"no page {url.path}"})

    def do_POST(self) -> None:
        documents = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.index.health == "red":
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the index is being loaded"})
            return
        self.index.add(documents)
        self.answer(HTTPStatus.OK, {"documents": len(documents), "words": len(self.index.words)})

    def answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    Handler.index = Index(DATA / "books.index")
    try:
        Handler.index.words = index_format.read(Handler.index.path)
    except (OSError, ValueError) as error:
        sys.exit(f"search: {error}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", int(SETTINGS["SEARCH_PORT"])), Handler)
    PID_FILE.write_text(f"{os.getpid()}\n")
    threading.Thread(
        target=Handler.index.load, args=[float(SETTINGS["SEARCH_LOAD_SECONDS"])], daemon=True
    ).start()
    server.serve_forever()


def running_pid() -> int | None:
    """The pid in the pid file, if it is this program's."""
    try:
        pid = int(PID_FILE.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(__file__) in command else None


def start() -> None:
    if running_pid():
        return
    PID_FILE.unlink(missing_ok=True)
    owner = DATA.stat()
    become: dict[str, Any] = (
        {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    with LOG.open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-B", __file__, "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **become,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while not running_pid():
        if daemon.poll() is not None or time.monotonic() > deadline:
            last = LOG.read_text().splitlines()[-1:]
            sys.exit(last[0] if last else f"search: did not start, see {LOG}")
        time.sleep(0.02)


def stop() -> None:
    if pid := running_pid():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while running_pid():
        if time.monotonic() > deadline:
            sys.exit(f"search: process {pid} does not end")
        time.sleep(0.02)
    PID_FILE.unlink(missing_ok=True)


def status() -> None:
    if pid := running_pid():
        print(f"search is running (pid {pid})")
        return
    print("search is not running")
    sys.exit(1 if PID_FILE.exists() else 3)


def set_option(key: str, value: str) -> None:
    """Keep an option; the service reads them when it starts."""
    temporary = OPTIONS.with_name(f"{OPTIONS.name}.new")
    temporary.write_text(json.dumps(read_options() | {key: value}) + "\n")
    temporary.replace(OPTIONS)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start" | "stop" | "status" | "serve" as verb]:
            {"start": start, "stop": stop, "status": status, "serve": serve}[verb]()
        case ["set", key, value]:
            set_option(key, value)
        case _:
            sys.exit("usage: search.py start | stop | status | set KEY VALUE")
