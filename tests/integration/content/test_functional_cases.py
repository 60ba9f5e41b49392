# SPDX-License-Identifier: GPL-3.0-or-later
"""The four functional cases of the specification of content mirrors, for deb and for rpm, with real clients.

(a) B alone: all its packages can be installed.
(b) A, and what A needs from B: all packages of A can be installed with both mirrors configured.
(c) Network faults end in a correct mirror or in a clear failure.
(d) Through an HTTP proxy with no other way out.
"""

import contextlib
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator import content
from tests.support import mirror_walk
from tests.support.apt_client import AptClient
from tests.support.deb_repository import Deb, DebRepository
from tests.support.dnf_client import DnfClient
from tests.support.fault_server import Asked, Fault, cut, fault_server, reset, status
from tests.support.openpgp import key
from tests.support.requirements import require
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.servers import running, wait_until
from tests.support.site import Site, deb_source, rpm_source
from tests.support.static_server import static_server

Kind = Literal["deb", "rpm"]
KINDS: tuple[Kind, ...] = ("deb", "rpm")
# Of A `panel` and `agent` need something of B; `library` is in both, and A's is to be taken.
A = ("panel", "agent", "library")
FROM_B = {"server", "runtime"}
B = ("server", "runtime", "library", "unused", "tool")


def _filler(name: str) -> bytes:
    return random.Random(name).randbytes(8000)


def _debs(names: dict[str, tuple[str, str]]) -> list[Deb]:
    return [
        Deb(name, version, depends=depends, filler=_filler(name))
        for name, (version, depends) in names.items()
    ]


def _rpms(names: dict[str, tuple[str, str]]) -> list[Rpm]:
    return [
        Rpm(name, f"{version}-1", "x86_64", requires=tuple(depends.split(", ")) if depends else ())
        for name, (version, depends) in names.items()
    ]


@dataclass(frozen=True)
class Archives:
    """The archives A (in a/) and B (in b/) below `root`."""

    kind: Kind
    root: Path

    @property
    def repository(self) -> str:
        return "stable main" if self.kind == "deb" else "os"

    def source(self, name: str, url: str, path: str, **options: Any) -> dict[str, Any]:
        make = deb_source if self.kind == "deb" else rpm_source
        return dict(make(name, f"{url}{path}/", [self.repository], key(), **options))

    def client(self, place: Path, told: str) -> "Client":
        if self.kind == "deb":
            apt = AptClient(place, told)
            apt.update()
            return apt.install
        dnf = DnfClient(place, told.replace("\ngpgcheck=1", "\ngpgcheck=0"))

        def install(*names: str) -> set[str]:
            dnf("install", *names)
            return {title.rsplit("-", 2)[0] for title in dnf.installed()}

        return install


Client = Callable[..., set[str]]


@pytest.fixture(scope="module", params=KINDS)
def archives(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Archives:
    kind: Kind = request.param
    root = tmp_path_factory.mktemp(kind)
    relation = "{} (>= {})" if kind == "deb" else "{} >= {}"
    a = {
        "panel": ("1.0", relation.format("server", "2")),
        "agent": ("1.0", "library, runtime"),
        "library": ("5.0", ""),
    }
    b = {
        "server": ("2.5", "library, runtime"),
        "runtime": ("3.0", ""),
        "library": ("4.0", ""),
        "unused": ("1.0", "tool"),
        "tool": ("1.0", ""),
    }
    for name, packages in (("a", a), ("b", b)):
        if kind == "deb":
            DebRepository(root / name, key=key()).publish(*_debs(packages))
        else:
            RpmRepository(root / name / "os", key=key()).write(_rpms(packages))
    return Archives(kind, root)


@pytest.fixture
def url(archives: Archives) -> Iterator[str]:
    with static_server(archives.root) as server:
        yield server.url


def test_b_alone_all_its_packages_can_be_installed(archives: Archives, url: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", [archives.source("b", url, "b")])
    site.must("clone", "b")
    assert site.json("unresolved") == []
    with site.served() as place:
        install = archives.client(tmp_path / "client", site.client_config("b", place))
        assert install(*B) == set(B)


def test_a_and_what_it_needs_from_b_all_of_a_can_be_installed(
    archives: Archives, url: str, tmp_path: Path
) -> None:
    signed = {"sign_with": str(key("ours").secret_file)}
    sources = [archives.source("a", url, "a"), archives.source("b", url, "b", master="a", **signed)]
    site = Site(tmp_path / "site", sources)
    site.must("clone")
    found = mirror_walk.packages(archives.kind, site.published("b"), archives.repository)
    assert {Path(path).name.replace("_", "-").partition("-")[0] for path in found} == FROM_B
    with site.served() as place:
        told = "\n".join(site.client_config(name, place) for name in ("a", "b"))
        install = archives.client(tmp_path / "client", told)
        assert install(*A) == {*A, *FROM_B}


def test_a_second_source_follows_when_the_first_asks_for_more(
    archives: Archives, url: str, tmp_path: Path
) -> None:
    """Requirements of the master are met from what completes it."""
    sources = [
        archives.source("a", url, "a", requirements=["tool"]),
        archives.source("b", url, "b", master="a"),
    ]
    site = Site(tmp_path / "site", sources)
    first, second = site.clone()
    assert (first.packages, second.packages) == (len(A), len(FROM_B) + 1)
    assert [each.status.value for each in site.clone()] == ["unchanged", "unchanged"]


# --- (c) ----------------------------------------------------------------------------------------------------


def _weather(seed: int, share: float) -> Callable[[Asked], Fault | None]:
    """Faults at random, of which no request is free."""
    chance = random.Random(seed)
    faults = [status(503), status(502), reset(), cut(0), cut(700), cut(6000)]
    return lambda _: chance.choice(faults) if chance.random() < share else None


@pytest.mark.parametrize(("share", "seeds"), [(0.15, 3), (0.85, 2)])
def test_faults_of_the_network_end_in_a_correct_mirror_or_in_a_clear_failure(
    archives: Archives, tmp_path: Path, share: float, seeds: int
) -> None:
    ends: dict[int, int] = {}
    signed = {"sign_with": str(key("ours").secret_file)}
    with fault_server(archives.root) as server:
        for seed in range(seeds):
            sources = [
                archives.source("a", server.url, "a"),
                archives.source("b", server.url, "b", master="a", **signed),
            ]
            site = Site(tmp_path / f"site {seed}", sources, {"ignore_error_count": 1})
            server.faults["*"] = _weather(seed, share)
            done = site.run("clone")
            ends[done.returncode] = ends.get(done.returncode, 0) + 1
            assert done.returncode in (0, 1, 3), done.stdout + done.stderr
            assert "Traceback" not in done.stderr
            complete = {name: _complete(archives, site, name) for name in ("a", "b")}
            if done.returncode != 0:
                assert "failed" in done.stdout or "lost" in done.stdout, done.stdout
            else:
                assert complete == {"a": set(A), "b": FROM_B}
            server.faults.clear()
            site.clone()
            assert {name: _complete(archives, site, name) for name in ("a", "b")} == {
                "a": set(A),
                "b": FROM_B,
            }
    if share < 0.5:
        assert ends.get(0, 0) > 0, ends
    else:
        assert ends.get(0, 0) < seeds, ends


def _complete(archives: Archives, site: Site, name: str) -> set[str]:
    """The names of the packages of a published mirror, which must be whole; none where there is no mirror."""
    tree = site.published(name)
    if not tree.exists():
        return set()
    signer = key() if name == "a" else key("ours")
    assert mirror_walk.walk(archives.kind, tree, archives.repository, signer.public) == []
    found = mirror_walk.packages(archives.kind, tree, archives.repository)
    return {Path(path).name.replace("_", "-").partition("-")[0] for path in found}


# --- (d) ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Isle:
    """A network of its own, from which a proxy is all that can be reached."""

    name: str
    address: str  # of this machine, as the isle sees it
    proxy: str
    log: Path

    @property
    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def proxied(self) -> int:
        """How many requests the proxy has passed on."""
        return self.log.read_text().count("Request (file descriptor")


@pytest.fixture(scope="module")
def isle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isle]:
    require(os.geteuid() == 0 and shutil.which("ip") is not None, "root and ip, for a network namespace")
    require(shutil.which("tinyproxy") is not None, "tinyproxy")
    name, place = f"isle{os.getpid()}", tmp_path_factory.mktemp("isle")
    number = os.getpid() % 250
    near, far = f"10.213.{number}.1", f"10.213.{number}.2"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    require(made.returncode == 0, "a network namespace")
    try:
        for words in (
            f"link add v{name} type veth peer name p{name} netns {name}",
            f"addr add {near}/30 dev v{name}",
            f"link set v{name} up",
            f"-n {name} addr add {far}/30 dev p{name}",
            f"-n {name} link set p{name} up",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        with _tinyproxy(near, place) as log:
            yield Isle(name, near, f"http://{near}:8888", log)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextlib.contextmanager
def _tinyproxy(address: str, place: Path) -> Iterator[Path]:
    log, config = place / "log", place / "tinyproxy.conf"
    config.write_text(
        f"Port 8888\nListen {address}\nBind 127.0.0.1\nTimeout 20\nMaxClients 50\n"
        f'LogLevel Connect\nLogFile "{log}"\nPidFile "{place}/pid"\n'
    )
    with running(["tinyproxy", "-d", "-c", str(config)], place / "output") as process:
        wait_until(lambda: _listens(address), "tinyproxy", process)
        yield log


def _listens(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 8888), 1):
        return True
    return False


HOW: dict[str, Callable[[str], tuple[dict[str, Any], dict[str, Any], dict[str, str]]]] = {
    "http_proxy of mirrors.yaml": lambda proxy: ({"http_proxy": proxy}, {}, {}),
    "the source's own proxy": lambda proxy: ({"http_proxy": "http://127.0.0.1:9/"}, {"proxy": proxy}, {}),
    "http_proxy of the environment": lambda proxy: ({}, {}, {"http_proxy": proxy}),
}


@pytest.mark.parametrize("how", HOW)
def test_a_mirror_is_made_through_a_proxy_with_no_other_way_out(
    archives: Archives, url: str, tmp_path: Path, isle: Isle, how: str
) -> None:
    common, options, environment = HOW[how](isle.proxy)
    site = Site(tmp_path / "site", [archives.source("b", url, "b", **options)], common, environment)
    before = isle.proxied()
    done = site.run("clone", inside=isle.inside)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _walked(archives, site) == set(B)
    wait_until(lambda: isle.proxied() > before, "the proxy's log has a request")


def test_without_the_proxy_there_is_no_way_out_and_that_is_told(
    archives: Archives, url: str, tmp_path: Path, isle: Isle
) -> None:
    elsewhere = url.replace("127.0.0.1", "198.51.100.7")
    site = Site(tmp_path / "site", [archives.source("b", elsewhere, "b")], {"retries": 0})
    done = site.run("clone", inside=isle.inside)
    assert done.returncode == 1
    assert "198.51.100.7" in done.stdout + done.stderr
    assert not site.published("b").exists()


def test_a_proxy_that_refuses_is_told_of(archives: Archives, url: str, tmp_path: Path) -> None:
    with fault_server(tmp_path / "nothing") as proxy:
        proxy.faults["*"] = lambda _: status(407, {"Proxy-Authenticate": 'Basic realm="x"'})
        site = Site(tmp_path / "site", [archives.source("b", url, "b", proxy=proxy.url)], {"retries": 1})
        (outcome,) = site.clone(code=1)
        assert outcome.error is not None
        assert "407" in str(outcome.error.message) + " ".join(map(str, outcome.error.problems))
        assert len(proxy.asked) <= 3


def _walked(archives: Archives, site: Site) -> set[str]:
    tree = site.published("b")
    assert mirror_walk.walk(archives.kind, tree, archives.repository, key().public) == []
    mirrors = content.load_mirrors(site.config)
    with content.Engine(mirrors) as engine:
        assert content.verify(engine, "b").ok
    found = mirror_walk.packages(archives.kind, tree, archives.repository)
    return {Path(path).name.replace("_", "-").partition("-")[0] for path in found}
