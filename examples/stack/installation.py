# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation of Bookshelf below one directory: version 1 with data, and the switch to version 2.

app-1.0/ app-2.0/ current     the code; `current` is what runs (a package would replace it)
vendor/ admin/                 the vendor's and the administrator's layer of steps
etc/                           bookshelf.conf, orchestrator.yaml, mirrors.yaml and the key that signs the mirrors
postgresql/data search/        the data
run/ log/ dumps/               sockets and pid files, the services' logs, backups
orchestrator/                  the runner's state and logs
upstream/ mirrors/             the repositories of the reader's project, and our mirrors of them
terminals/                     clients of the mirrors
pgsql/                         PostgreSQL's programs, when the machine has none
"""

import contextlib
import os
import random
import shlex
import shutil
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import books
import database
import postgresql
import upstream
from failure import Failed

SOURCE = Path(__file__).resolve().parent
ORCHESTRATOR = (sys.executable, "-m", "orchestrator")
MARKER = ".orchestrator-demo"
# Where steps and services look for programs.
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Below the range that the kernel takes for outgoing connections.
PORTS = range(20000, 30000)
# A Unix socket's path has 108 bytes, with the end.
LONGEST_SOCKET = 107
KEPT = (MARKER, "pgsql")


@dataclass(frozen=True)
class Installation:
    directory: Path

    @property
    def conf(self) -> Path:
        return self.directory / "etc" / "bookshelf.conf"

    @property
    def config(self) -> Path:
        """The runner's configuration."""
        return self.directory / "etc" / "orchestrator.yaml"

    @property
    def version(self) -> str:
        return (self.directory / "current" / "VERSION").read_text().strip()

    @property
    def branch_config(self) -> Path:
        """Of the server of the branch office."""
        return self.directory / "etc" / "branch.yaml"

    @property
    def mirrors_file(self) -> Path:
        return self.directory / "etc" / "mirrors.yaml"

    def settings(self) -> dict[str, str]:
        """The settings of bookshelf.conf; empty when there is none."""
        if not self.conf.exists():
            return {}
        words = shlex.split(self.conf.read_text(), comments=True)
        return dict(word.split("=", 1) for word in words if "=" in word)


def claim(directory: Path) -> Installation:
    """Make `directory` the demo's own. Raises Failed rather than touch somebody else's files."""
    if any(character.isspace() or character in "\"'\\$`@" for character in str(directory)):
        raise Failed(
            f"the demo wants a directory without blanks and quotes, not {directory}: --directory DIR"
        )
    if len(str(directory / "run/postgresql/.s.PGSQL.00000")) > LONGEST_SOCKET:
        raise Failed(f"{directory} is too long for the path of a Unix socket: --directory DIR")
    if directory.exists() and any(directory.iterdir()) and not (directory / MARKER).exists():
        raise Failed(f"{directory} is not empty and was not made by the demo: --directory DIR names another")
    directory.mkdir(parents=True, exist_ok=True)
    if not postgresql.runs(Path("/bin/ls"), str(directory)):
        raise Failed(
            f"the user {postgresql.UNPRIVILEGED} cannot reach {directory}: --directory DIR names another"
        )
    (directory / MARKER).touch()
    return Installation(directory)


def create_version_1(installation: Installation, load_seconds: float, count: int) -> None:
    """Replace whatever is there by a fresh Bookshelf 1.0 with `count` books; nothing may run there."""
    old = installation.settings()
    _empty(installation.directory)
    for name in ("etc", "run", "run/postgresql", "log", "dumps", "search", "postgresql", "postgresql/data"):
        (installation.directory / name).mkdir(mode=0o755)
    (installation.directory / "run" / "postgresql").chmod(0o700)
    (installation.directory / "dumps").chmod(0o700)
    settings = _settings(installation, old, load_seconds)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
    installation.conf.write_text("".join(lines))
    _install(SOURCE / "orchestrator.yaml.in", installation.config, _placeholders(installation))
    _install(SOURCE / "mirrors.yaml.in", installation.mirrors_file, _placeholders(installation))
    _install(SOURCE / "branch.yaml.in", installation.branch_config, _placeholders(installation))
    upstream.make_key(installation.directory / "etc" / "mirrors.key", "Bookshelf <admin@example.org>")
    upstream.create(installation.directory / "upstream", ORCHESTRATOR, installation.mirrors_file)
    install_package(installation, "1.0")
    shelf = list(books.generate(count))
    books.write_index(installation.directory / "search" / "books.index", shelf)
    _give_to_service_user(installation.directory)
    database.create(installation.settings(), installation.directory, shelf)


def serve_upstream(installation: Installation) -> None:
    """The repositories of the reader's project on the web, as far as loopback is the web."""
    settings = installation.settings()
    upstream.serve(
        installation.directory / "upstream",
        int(settings["UPSTREAM_PORT"]),
        postgresql.as_service_user(),
        settings["BOOKSHELF_PYTHON"],
    )


def release_upstream(installation: Installation) -> None:
    """The reader's project releases something new."""
    directory = installation.directory / "upstream"
    upstream.release(directory, [upstream.RELEASED], ORCHESTRATOR, installation.mirrors_file)


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.name in KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _settings(installation: Installation, old: Mapping[str, str], load_seconds: float) -> dict[str, str]:
    names = ("PGPORT", "SEARCH_PORT", "WEB_PORT", "UPSTREAM_PORT")
    pg_port, search_port, web_port, upstream_port = _ports([old.get(name) for name in names])
    return {
        "BOOKSHELF_HOME": str(installation.directory),
        "BOOKSHELF_URL": f"http://127.0.0.1:{web_port}",
        "BOOKSHELF_PYTHON": str(_interpreter()),
        "PG_BIN": str(postgresql.find_binaries(installation.directory / "pgsql")),
        "PGHOST": str(installation.directory / "run" / "postgresql"),
        "PGPORT": str(pg_port),
        "PGUSER": "bookshelf",
        "PGDATABASE": "bookshelf",
        "SEARCH_PORT": str(search_port),
        "SEARCH_LOAD_SECONDS": f"{load_seconds:g}",
        "WEB_PORT": str(web_port),
        "UPSTREAM_PORT": str(upstream_port),
    }


def _interpreter() -> Path:
    """A Python that the services' user can run."""
    candidates = [Path(sys.executable).resolve()]
    if on_path := shutil.which("python3", path=STANDARD_PATH):
        candidates.append(Path(on_path))
    for candidate in candidates:
        if postgresql.runs(candidate, "-c", "import http.server, json"):
            return candidate
    raise Failed(
        f"the services run as {postgresql.service_user()}, who can run none of "
        + ", ".join(map(str, candidates))
        + ": install the distribution's python3"
    )


def _ports(old: Sequence[str | None]) -> list[int]:
    """Free ports, those of the earlier demo if they still are."""
    found: list[int] = []
    for wanted in old:
        candidates = [int(wanted)] if wanted else []
        candidates += random.sample(PORTS, 200)
        free = next((port for port in candidates if port not in found and _is_free(port)), None)
        if free is None:
            raise Failed(f"no free TCP port between {PORTS.start} and {PORTS.stop}")
        found.append(free)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        # As servers do: connections of an earlier one that are still winding down do not matter.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _placeholders(installation: Installation) -> dict[str, str]:
    """What stands for the @NAMES@ in installed files."""
    settings = installation.settings()
    return {
        "BOOKSHELF": settings["BOOKSHELF_HOME"],
        "PYTHON": settings["BOOKSHELF_PYTHON"],
        "PG_BIN": settings["PG_BIN"],
        "PG_PORT": settings["PGPORT"],
        "SEARCH_PORT": settings["SEARCH_PORT"],
        "WEB_PORT": settings["WEB_PORT"],
        "UPSTREAM_PORT": settings["UPSTREAM_PORT"],
        "USER": postgresql.service_user() or "null",
    }


def _install(source: Path, target: Path, placeholders: Mapping[str, str]) -> None:
    """Copy a file, its mode, and put the site's values in place of @NAMES@; a link stays a link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    text = source.read_text()
    for name, value in placeholders.items():
        text = text.replace(f"@{name}@", value)
    target.write_text(text)
    target.chmod(source.stat().st_mode & 0o777)


def install_package(installation: Installation, version: str) -> None:
    """What the package manager does: new code, the vendor's new steps, and `current`. No data is touched."""
    application = installation.directory / f"app-{version}"
    for origin in (SOURCE / "product" / "common", SOURCE / "product" / version):
        shutil.copytree(origin, application, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    link = installation.directory / "current.new"
    link.symlink_to(application.name)
    link.replace(installation.directory / "current")
    # Version 1's package brought no steps that migrate: there was nothing to upgrade from.
    kinds = ("check", "default") if version == "1.0" else ("check", "default", "upgrade")
    _install_layer(installation, "vendor", [f"scripts.d/{kind}" for kind in kinds] + ["libexec"])
    _install_layer(installation, "admin", ["scripts.d"])


def _install_layer(installation: Installation, layer: str, parts: Iterable[str]) -> None:
    placeholders = _placeholders(installation)
    for part in parts:
        for source in sorted((SOURCE / layer / part).rglob("*")):
            target = installation.directory / layer / source.relative_to(SOURCE / layer)
            if target.exists() or target.is_symlink():
                continue
            if source.is_symlink() or source.is_file():
                _install(source, target, placeholders)


def _give_to_service_user(directory: Path) -> None:
    """The directories that services write to belong to their user."""
    demotion = postgresql.as_service_user()
    if not demotion:
        return
    for name in (
        "run",
        "run/postgresql",
        "log",
        "search",
        "search/books.index",
        "postgresql",
        "postgresql/data",
    ):
        os.chown(directory / name, demotion["user"], demotion["group"])


def remove(installation: Installation) -> None:
    """Remove everything that the demo made. Raises Failed when it is not the demo's."""
    if not installation.directory.exists():
        return
    if not (installation.directory / MARKER).exists():
        raise Failed(f"{installation.directory} was not made by the demo; it stays")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(installation.directory)
