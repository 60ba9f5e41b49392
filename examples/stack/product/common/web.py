# SPDX-License-Identifier: GPL-3.0-or-later
"""Bookshelf's web application: /ping, / and /search?q=WORDS, from PostgreSQL and the search service.

It refuses to start on a database of another schema version than the one it was built for. While the
flag file of the maintenance mode lies there, readers get 503; /ping, and operators (who send the header
X-Bookshelf-Operator), still get through.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

from settings import APPLICATION, read_release, read_settings

RELEASE = read_release()
SETTINGS = read_settings()
MAINTENANCE = Path(SETTINGS["BOOKSHELF_HOME"]) / "maintenance"
SEARCH = f"http://127.0.0.1:{SETTINGS['SEARCH_PORT']}"
BOOKS = (APPLICATION / "books.sql").read_text()
DOCUMENTS = (APPLICATION / "documents.sql").read_text()
PAGE = 5


class Unavailable(Exception):
    """A part that the application needs does not answer."""


def query(sql: str, **variables: str) -> list[tuple[str, ...]]:
    """The rows of a query. Raises Unavailable."""
    argv = [f"{SETTINGS['PG_BIN']}/psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
    argv += [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    done = subprocess.run(
        [*argv, "-f", "-"], input=sql, env=SETTINGS, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode != 0:
        raise Unavailable(f"database: {done.stderr.strip()}")
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def ask_search(path: str, body: bytes | None = None) -> dict[str, Any]:
    """The search service's answer. Raises Unavailable."""
    try:
        with urlopen(SEARCH + path, data=body, timeout=30) as answer:
            document: dict[str, Any] = json.load(answer)
    except (URLError, OSError) as error:
        raise Unavailable(f"search service: {error}") from None
    return document


def find_books(text: str) -> dict[str, Any]:
    hits = ask_search("/search?" + urlencode({"q": text}))["hits"]
    rows = query(BOOKS, ids=",".join(map(str, hits[:PAGE]))) if hits else []
    books = [dict(zip(("title", "author", "shelf_mark"), row, strict=True)) for row in rows]
    return {"version": RELEASE.version, "hits": len(hits), "books": books}


def index_all() -> dict[str, Any]:
    """Give every book to the search service."""
    documents = [(int(book), text) for book, text in query(DOCUMENTS)]
    return ask_search("/documents", json.dumps(documents).encode())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/ping":
            self.answer(HTTPStatus.OK, {"version": RELEASE.version, "schema": RELEASE.schema})
        elif self.closed():
            self.answer(
                HTTPStatus.SERVICE_UNAVAILABLE, {"error": "Bookshelf is being upgraded, please come back"}
            )
        elif url.path == "/":
            self.try_answer(lambda: {row[0]: row[1] for row in query("select name, body from page_text")})
        elif url.path == "/search":
            self.try_answer(lambda: find_books(parse_qs(url.query).get("q", [""])[0]))
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": f"no page {url.path}"})

    def do_POST(self) -> None:
        if "X-Bookshelf-Operator" not in self.headers:
            self.answer(HTTPStatus.FORBIDDEN, {"error": "for operators only"})
        elif self.path == "/admin/index":
            self.try_answer(index_all)
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": f"no page {self.path}"})

    def closed(self) -> bool:
        return MAINTENANCE.exists() and "X-Bookshelf-Operator" not in self.headers

    def try_answer(self, make: Callable[[], dict[str, Any]]) -> None:
        try:
            self.answer(HTTPStatus.OK, make())
        except Unavailable as error:
            self.answer(HTTPStatus.BAD_GATEWAY, {"error": str(error)})

    def answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def require_schema() -> None:
    """End here unless the database is the one this version was built for."""
    try:
        [[found]] = query("select version from schema_version")
    except Unavailable as error:
        sys.exit(f"web: {error}")
    if int(found) != RELEASE.schema:
        sys.exit(
            f"web: Bookshelf {RELEASE.version} was built for schema {RELEASE.schema}, "
            f"the database has schema {found}: upgrade it first"
        )


if __name__ == "__main__":
    require_schema()
    ThreadingHTTPServer(("127.0.0.1", int(SETTINGS["WEB_PORT"])), Handler).serve_forever()
