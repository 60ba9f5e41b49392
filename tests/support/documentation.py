# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of docs/ presuppose, so that their examples can be run: upstreams on loopback, keys, mirrors.yaml."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.deb_repository import Deb, DebRepository
from tests.support.openpgp import key
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.static_server import static_server

DOCS = Path(__file__).resolve().parents[2] / "docs"
_HOST = "repository.example.org/"
ADDRESS = f"http://{_HOST}"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (DOCS / page).read_text()


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each code block of a page."""
    return _BLOCK.findall(text_of(page))


@dataclass(frozen=True)
class Workplace:
    """`place` has `keys/` and `built/`; `address` is that of the upstreams, with its slash, which lie in `www`."""

    place: Path
    www: Path
    address: str

    def configure(self, text: str, file: str = "mirrors.yaml") -> Path:
        """A configuration of the documentation, with the address that its upstreams really have."""
        assert _HOST in text
        path = self.place / file
        path.write_text(text.replace(ADDRESS, self.address))
        return path


@contextlib.contextmanager
def workplace(root: Path) -> Iterator[Workplace]:
    _make_upstreams(root / "www")
    place = root / "place"
    (place / "keys").mkdir(parents=True)
    shutil.copy(key().public_file, place / "keys" / "archive.asc")
    shutil.copy(key().secret_file, place / "keys" / "mirror.secret.asc")
    (place / "built").mkdir()
    hello = Deb("hello", "1.0", "all")
    (place / "built" / hello.file_name).write_bytes(hello.bytes())
    with static_server(root / "www") as server:
        yield Workplace(place, root / "www", server.url)


def _make_upstreams(www: Path) -> None:
    archive = key()
    mos = DebRepository(www / "mos", "mos main", key=archive)
    mos.publish(
        Deb("mos-controller", "10.0-1", depends="nginx (>= 1.22), python3-mos"),
        Deb("python3-mos", "10.0-1", "all", depends="python3"),
    )
    ubuntu = DebRepository(www / "ubuntu", "jammy main", key=archive)
    ubuntu.publish(
        Deb("nginx", "1.22.1-9", depends="nginx-common (= 1.22.1-9), libc6 (>= 2.34)"),
        Deb("nginx-common", "1.22.1-9", "all", source="nginx"),
        Deb("libc6", "2.36-9", source="glibc"),
        Deb("python3", "3.11.2-1", depends="libc6"),
        Deb("postfix", "3.7.6-0", provides="mail-transport-agent"),
        Deb("vim", "2:9.0.1378-2", depends="vim-runtime (= 2:9.0.1378-2)"),
    )
    RpmRepository(www / "centos" / "os").write(
        [
            Rpm("web", "1.4-1", requires=("lib >= 2", "/usr/share/base/data")),
            Rpm("lib", "2.1-1", "x86_64"),
            Rpm("base"),
            Rpm("unused"),
        ]
    )
