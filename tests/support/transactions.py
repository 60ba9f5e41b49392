# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is run by packages alone: orchestrator's own and the examples', brought by apt or by dnf.

    with Server(SystemdHost("server"), "deb", workshop) as server:
        server.prepare()
        server.offer(orchestrator, bookshelf_1, bookshelf_2)
        server.install("bookshelf=1.0").expect(0)

The host is one of systemd_host's; nothing of the checkout is used inside, nor of the tests' interpreter.
"""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.product import Outcome
from tests.support.step_packages import Kind, StepPackage, run_tool
from tests.support.systemd_host import SystemdHost

REPOSITORY = "/opt/repository"
CONFIG = "/etc/orchestrator/orchestrator.yaml"
STATE = "/var/lib/orchestrator"
BOOKS = "/var/lib/bookshelf/books.sqlite"
BOOKS_BEFORE = [("The Silent Lighthouse", "Ada Lem"), ("The Paper Bridge", "Hugo Ito"), ("Glass", "Ada Lem")]
# What the one-shots of bookshelf 2.0 and bookshelf-covers leave in the data, in the order of their numbers.
ALL_CHANGES = ["store-format", "authors", "covers"]
GUIDE = "What is new in Bookshelf 2"
ONE_SHOTS = {
    "1110_bookshelf-store-format.py",
    "3105_bookshelf-titles.sh",
    "3110_bookshelf-authors.sh",
    "3510_covers-table.sh",
    "6110_bookshelf-welcome.sh",
}
# What slows transactions down and has nothing to do with them, on the machine that hosts are made of.
# What 1.0 counts as done when it is installed, and a step of a third package with what it does.
BASELINE = {"3105_bookshelf-titles.sh": "baseline"}
EXTRA = "upgrade/3700_extra.sh"
RECORD_EXTRA = "/usr/lib/bookshelf/sql \"insert into change (name) values ('extra')\""
_IN_THE_WAY = ("/usr/sbin/policy-rc.d", "/var/lib/man-db/auto-update")


class Server:
    """Bookshelf's server. What `install` takes is the package manager's own: `bookshelf=1.0`, `bookshelf-1.0`."""

    def __init__(self, host: SystemdHost, kind: Kind, workshop: Path) -> None:
        self.host, self.kind, self.workshop = host, kind, workshop

    def like_this(self, name: str) -> "Server":
        """Another one, whose disk begins as this one's is; this one has to be off meanwhile."""
        return Server(SystemdHost(name, like=self.host), self.kind, self.workshop)

    def __enter__(self) -> Self:
        self.host.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.host.down()

    # Packages -------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Only our own repository is known, and no hook of the machine's packages is in the way."""
        for path in _IN_THE_WAY:
            self.host.path(path).unlink(missing_ok=True)
        if self.kind == "deb":
            self._prepare_apt()
        else:
            self._prepare_dnf()

    def _prepare_apt(self) -> None:
        for directory in ("sources.list.d", "apt.conf.d"):
            shutil.rmtree(self.host.path(f"/etc/apt/{directory}"))
            self.host.path(f"/etc/apt/{directory}").mkdir()
        self.host.path("/etc/apt/sources.list").unlink(missing_ok=True)
        self.host.write("/etc/apt/sources.list.d/test.list", f"deb [trusted=yes] file:{REPOSITORY} ./\n")
        self.host.write("/etc/apt/apt.conf.d/90tests", 'Acquire::Languages "none";\n')

    def _prepare_dnf(self) -> None:
        for directory in ("/etc/yum.repos.d", "/etc/dnf"):
            shutil.rmtree(self.host.path(directory), ignore_errors=True)
        self.host.write("/etc/dnf/dnf.conf", "[main]\nplugins=0\ngpgcheck=0\n")
        self.host.write(
            "/etc/yum.repos.d/test.repo",
            f"[test]\nname=test\nbaseurl=file://{REPOSITORY}\ngpgcheck=0\nmetadata_expire=0\n",
        )

    def offer(self, *packages: Path | StepPackage) -> None:
        """Put packages into the repository, beside those that it has."""
        place = self.host.path(REPOSITORY)
        place.mkdir(parents=True, exist_ok=True)
        for package in packages:
            shutil.copy(package if isinstance(package, Path) else self._built(package), place)
        if self.kind == "deb":
            index = subprocess.run(
                ["apt-ftparchive", "--no-md5", "--no-sha1", "--no-sha512", "packages", "."],
                cwd=place,
                check=True,
                capture_output=True,
            )
            (place / "Packages").write_bytes(index.stdout)
            self.run("apt-get", "-qq", "update").expect(0)
        else:
            # It would put the new list in the old one's place by a rename, which an overlay does not do.
            shutil.rmtree(place / "repodata", ignore_errors=True)
            run_tool("/usr/bin/createrepo_c", "--quiet", str(place))

    def _built(self, package: StepPackage) -> Path:
        return package.deb(self.workshop) if self.kind == "deb" else package.rpm(self.workshop)

    def install(self, *words: str) -> Outcome:
        return self.run(*self.install_command(*words))

    def install_command(self, *words: str) -> list[str]:
        if self.kind == "deb":
            return ["apt-get", "-y", "-q", "install", *words]
        return ["dnf", "-y", "--releasever=1", "install", *words]

    def run(self, *argv: str, env: Mapping[str, str] | None = None, timeout: float = 120.0) -> Outcome:
        done = self.host.run(argv, check=False, env=environment(env), timeout=timeout)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def audit(self) -> str:
        """What dpkg finds half done. Of packages that are nothing to us, nothing."""
        return self.run("dpkg", "--audit").out

    def status_of(self, package: str) -> str:
        """dpkg's word: installed, half-configured, triggers-pending, config-files, not-installed ..."""
        done = self.run("dpkg-query", "-W", "-f", "${db:Status-Status}", package)
        return done.out if done.code == 0 else "not-installed"

    # The runner -----------------------------------------------------------------------------------

    def orchestrator(self, *words: str) -> Outcome:
        return self.run("/usr/bin/orchestrator", *words)

    def configure(self, **keys: Any) -> None:
        """Change keys of the configuration, as an administrator does."""
        import yaml

        path = self.host.path(CONFIG)
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}))

    def pending(self) -> bool:
        code = self.orchestrator("pending", "--quiet").code
        assert code in (0, 1), code
        return code == 1

    def history(self) -> dict[str, str]:
        """Name -> status of every one-shot that is on record."""
        return {
            entry["name"]: entry["status"]
            for entry in self.orchestrator("history", "list", "-o", "json").json()
        }

    def runs(self) -> list[list[dict[str, Any]]]:
        """The journal of each run, the oldest first."""
        return [
            [json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted(self.host.path(f"{STATE}/runs").glob("*/journal.jsonl"))
        ]

    def request(self) -> dict[str, Any] | None:
        path = self.host.path(f"{STATE}/request.json")
        content: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return content

    # The product ----------------------------------------------------------------------------------

    def active(self) -> dict[str, str]:
        units = ("bookshelf-store.service", "bookshelf.service")
        states = self.host.systemctl("is-active", *units, check=False).stdout.split()
        return dict(zip(units, states, strict=True))

    def health(self, patience: float = 10.0) -> dict[str, Any]:
        """What the application says of itself, waiting for it to listen. Raises AssertionError."""
        deadline = time.monotonic() + patience
        while True:
            done = self.run("curl", "-fsS", "--noproxy", "*", "http://127.0.0.1:8070/health")
            if done.code == 0:
                document: dict[str, Any] = done.json()
                return document
            assert time.monotonic() < deadline, done.err + self.host.journal("bookshelf.service")
            time.sleep(0.05)

    def add_books(self, books: Sequence[tuple[str, str]] = BOOKS_BEFORE) -> None:
        self.health()
        for title, author in books:
            body = json.dumps({"title": title, "author": author})
            self.run("curl", "-fsS", "--noproxy", "*", "-d", body, "http://127.0.0.1:8070/books").expect(0)

    def data(self, statement: str) -> list[tuple[Any, ...]]:
        """Read from the store's file, whether the store is up or not."""
        with contextlib.closing(sqlite3.connect(self.host.path(BOOKS))) as database:
            return database.execute(statement).fetchall()

    def changes(self) -> list[str]:
        """What one-shots have done to the data, each once for every time that it was done."""
        return [name for (name,) in self.data("select name from change order by rowid")]

    def titles(self) -> list[str]:
        return [title for (title,) in self.data("select title from book order by id")]

    def masks(self) -> list[str]:
        """Units that the runner holds, or has forgotten to let go."""
        directory = self.host.path("/run/systemd/system.control")
        return sorted(path.name for path in directory.iterdir()) if directory.exists() else []

    def wait_for(self, what: str, path: str, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not self.host.path(path).exists():
            assert time.monotonic() < deadline, f"{what}: no {path} within {timeout:g} s"
            time.sleep(0.02)


def all_is_well(server: Server, changes: Sequence[str], before: str = "") -> None:
    """Version 2.0 at work on data that each one-shot has changed once; nothing held, owed or half done."""
    assert server.health()["version"] == "2.0", before
    assert set(server.active().values()) == {"active"}, before
    assert server.changes() == list(changes), before
    assert server.titles() == [*(title for title, _ in BOOKS_BEFORE), GUIDE], before
    assert not server.pending(), before
    assert server.request() is None, before
    assert server.masks() == [], before
    assert server.audit() == "", before
    assert server.host.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == "", before


@contextlib.contextmanager
def no_baseline(server: Server) -> Iterator[None]:
    """`orchestrator history baseline` fails meanwhile: its record of changes cannot be written."""
    record = server.host.path(f"{STATE}/history-changes.jsonl")
    saved = record.rename(record.with_suffix(".saved"))
    record.mkdir()
    try:
        yield
    finally:
        record.rmdir()
        saved.rename(record)


def in_image(root: Path, *argv: str) -> list[str]:
    """A command in `root` as image builders run it: chroot, with /proc and /dev."""
    mount = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mount, str(root), *argv]


def settled(server: Server, timeout: float = 60.0) -> None:
    """Wait until the unit that runs pending upgrades is done, if it was started."""
    deadline = time.monotonic() + timeout
    while (state := server.host.show("orchestrator-upgrade.service")) not in ("inactive", "failed"):
        assert time.monotonic() < deadline, f"{state}: {server.host.journal('orchestrator-upgrade.service')}"
        time.sleep(0.1)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """A root shell's: of the tests' own environment nothing is left."""
    return {
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "",
        "DEBIAN_FRONTEND": "noninteractive",
        **(more or {}),
    }
