# SPDX-License-Identifier: GPL-3.0-or-later
"""Bookshelf's database with schema 1: initdb, and the data by a server that only listens on its socket."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import books
import postgresql
from failure import Failed

VERSION_1 = Path(__file__).resolve().parent / "product" / "1.0"


def create(settings: Mapping[str, str], directory: Path, shelf: Sequence[books.Book]) -> None:
    """Make postgresql/data below `directory`, and leave it with no server running. Raises Failed."""
    data, log = directory / "postgresql" / "data", directory / "log" / "create.log"
    _run(settings, ["initdb", "-D", str(data), "-U", settings["PGUSER"], "--encoding=UTF8", "--no-locale",
                    "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256"])  # fmt: skip
    with (data / "postgresql.conf").open("a") as stream:
        stream.write(f"listen_addresses = '127.0.0.1'\nport = {settings['PGPORT']}\n")
        stream.write(f"unix_socket_directories = '{settings['PGHOST']}'\n")
    control = ["pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", str(log)]
    try:
        _run(settings, [*control, "-o", "-c listen_addresses= -c fsync=off", "start"])
    except Failed as error:
        raise Failed(f"{error}\n{log.read_text() if log.exists() else ''}") from None
    try:
        _load(settings, shelf)
    finally:
        _run(settings, [*control, "-m", "fast", "stop"])
    log.unlink()


def _load(settings: Mapping[str, str], shelf: Sequence[books.Book]) -> None:
    psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    _run(settings, [*psql, "-d", "postgres"], f"create database {settings['PGDATABASE']}")
    schema, texts = (VERSION_1 / "schema.sql").read_text(), (VERSION_1 / "texts.tsv").read_text()
    _run(settings, psql, f"{schema}{books.copy_statement(shelf)}copy page_text from stdin;\n{texts}\\.\n")


def _run(settings: Mapping[str, str], command: Sequence[str], text: str = "") -> None:
    """Run one of PostgreSQL's programs as the services' user. Raises Failed with its last words."""
    done = subprocess.run(
        [f"{settings['PG_BIN']}/{command[0]}", *command[1:]],
        input=text,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **settings},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **postgresql.as_service_user(),
    )
    if done.returncode != 0:
        words = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Failed(f"{command[0]} failed: " + "\n  ".join(words[-5:]))
