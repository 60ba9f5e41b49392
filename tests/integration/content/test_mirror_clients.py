# SPDX-License-Identifier: GPL-3.0-or-later
"""Real apt-get and dnf on what `clone` published, configured with just what `mirror client-config` prints."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.apt_client import AptClient
from tests.support.deb_repository import Deb, DebRepository
from tests.support.dnf_client import DnfClient
from tests.support.openpgp import key
from tests.support.requirements import require
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.servers import accepts, free_port, running, wait_until
from tests.support.signed_rpms import sign_rpms
from tests.support.site import Site, deb_source, rpm_source
from tests.support.static_server import static_server

# --- deb ----------------------------------------------------------------------------------------------------

SUITES = ["stable main contrib", "stable-updates main"]
APP = {"app", "libapp", "tool"}
STABLE = (
    Deb("app", "1.0", depends="libapp (>= 1), tool"),
    Deb("libapp", "1:1.0", architecture="all", source="app (1.0)"),
    Deb("tool", "2.0~rc1", component="contrib", provides="instrument (= 2)"),
    Deb("unrelated", "1.0"),
    Deb("hardware", "1.0", udeb=True),
)
UPDATES = (Deb("app", "1.1", depends="libapp (>= 1), instrument (>= 2)"), Deb("unrelated", "1.1"))
FLAT = (Deb("plain", "3.0", depends="app (>= 1.1)"), Deb("other", "3.0"))


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An archive of two suites, and a flat one in flat/."""
    root = tmp_path_factory.mktemp("debs")
    shown = {"translations": ("en",), "contents": True, "sources": True}
    DebRepository(root, SUITES[0], key=key(), **shown).publish(*STABLE)  # type: ignore[arg-type] # as named
    DebRepository(root, SUITES[1], key=key()).publish(*UPDATES)
    DebRepository(root, "flat/", key=key(), fields={"Suite": "flat/"}).publish(*FLAT)
    with static_server(root) as server:
        yield server.url


def apt(site: Site, name: str, url: str, place: Path, *, languages: str = "none") -> AptClient:
    """A client that has updated."""
    client = AptClient(place, site.client_config(name, url), languages=languages)
    client.update()
    return client


def both_suites(url: str, **options: object) -> dict[str, object]:
    return dict(deb_source("up", url, SUITES, key(), **options))


def ours(**options: object) -> dict[str, object]:
    """Options of a mirror whose metadata we write and sign."""
    return {**options, "sign_with": str(key("ours").secret_file)}


DEB_MIRRORS: dict[str, Callable[[], dict[str, object]]] = {
    "full, the upstream's own metadata": lambda: {"contents": True},
    "full, our metadata": lambda: ours(mode="rebuilt"),
    "partial": lambda: ours(requirements=["app"]),
}


@pytest.mark.parametrize("kind", DEB_MIRRORS)
def test_apt_updates_plans_downloads_and_installs(debs: str, tmp_path: Path, kind: str) -> None:
    options = DEB_MIRRORS[kind]()
    site = Site(tmp_path / "site", [both_suites(debs, **options)])
    site.clone()
    with site.served() as url:
        client = apt(site, "up", url, tmp_path / "client", languages="en")
        assert client.would_install("app") == {("app", "1.1"), ("libapp", "1:1.0"), ("tool", "2.0~rc1")}
        assert len(client.download("app")) == len(APP)
        assert client.install("app") == APP
        assert (tmp_path / "client/usr/share/doc/app/filler").read_bytes() == b"filler"
        everything = "requirements" not in options
        assert (client.get("-s", "install", "unrelated").returncode == 0) is everything
        assert translated(client, "libapp") == {"Translation-en"}


def translated(client: AptClient, name: str) -> set[str]:
    """The kinds of translations that the client holds of a package."""
    found = set()
    for path in (client.root / "var/lib/apt/lists").glob("*_i18n_*"):
        text = subprocess.run(
            ("/usr/lib/apt/apt-helper", "cat-file", str(path)), capture_output=True, check=True
        )
        if f"Package: {name}\n".encode() in text.stdout:
            found.add(path.name.rpartition("_")[2].partition(".")[0])
    return found


def test_apt_uses_a_signed_mirror_of_an_unsigned_archive(tmp_path: Path) -> None:
    DebRepository(tmp_path / "www").publish(*STABLE)
    with static_server(tmp_path / "www") as server:
        source = deb_source("up", server.url, ["stable main"], None, **ours(mode="rebuilt"))
        site = Site(tmp_path / "site", [source])
        site.clone()
    with site.served() as url:
        told = site.client_config("up", url)
        assert "Trusted" not in told
        assert AptClient(tmp_path / "client", told).update()
        other = told.replace(key("ours").public.decode().splitlines()[3], "A" * 64)
        assert AptClient(tmp_path / "tampered", other).get("update", "--error-on=any").returncode != 0


@pytest.mark.parametrize("partial", [False, True])
def test_apt_uses_suites_and_a_flat_archive_of_one_source(debs: str, tmp_path: Path, partial: bool) -> None:
    options = ours(requirements=["plain"]) if partial else {}
    source = deb_source("up", debs, [*SUITES, "flat/"], key(), **options)
    site = Site(tmp_path / "site", [source])
    site.clone()
    with site.served() as url:
        client = apt(site, "up", url, tmp_path / "client")
        assert client.install("plain") == {"plain", *APP}
        assert (client.get("-s", "install", "other").returncode == 0) is not partial


def test_apt_finds_source_packages_where_they_are_asked_for(debs: str, tmp_path: Path) -> None:
    source = deb_source("up", debs, SUITES[:1], key(), sources=True, **ours(requirements=["libapp"]))
    site = Site(tmp_path / "site", [source])
    site.clone()
    with site.served() as url:
        client = apt(site, "up", url, tmp_path / "client")
        client.must("--download-only", "source", "libapp")
        assert (tmp_path / "client/app_1.0.dsc").exists()
        assert client.get("--download-only", "source", "unrelated").returncode != 0


@pytest.mark.parametrize("partial", [False, True])
def test_packages_of_the_installer_come_where_they_are_asked_for(
    debs: str, tmp_path: Path, partial: bool
) -> None:
    wanted = ours(requirements=["libapp"]) if partial else {}
    for installer in (False, True):
        source = deb_source("up", debs, SUITES[:1], key(), installer=installer, **wanted)
        site = Site(tmp_path / f"site {installer}", [source])
        site.clone()
        names = {path.name for path in site.published("up").rglob("*.udeb")}
        assert names == ({"hardware_1.0_amd64.udeb"} if installer else set())
        index = next(
            site.published("up").glob("dists/stable/main/debian-installer/binary-amd64/Packages.*"), None
        )
        assert (index is not None) is installer


@pytest.mark.parametrize("partial", [False, True])
def test_a_mirror_of_our_own_mirror_serves_apt_as_well(debs: str, tmp_path: Path, partial: bool) -> None:
    options = ours(requirements=["app"]) if partial else {}
    first = Site(tmp_path / "first", [both_suites(debs, **options)])
    first.clone()
    with first.served() as url:
        second_hand = deb_source("again", f"{url}up/", SUITES, key("ours") if partial else key())
        second = Site(tmp_path / "second", [second_hand])
        second.clone()
        assert second.clone()[0].status.value == "unchanged"
        in_part = deb_source("part", f"{url}up/", SUITES, None, **ours(requirements=["tool"]))
        third = Site(tmp_path / "third", [dict(in_part, unsigned=False, keys=second_hand["keys"])])
        third.clone()
    with second.served() as url:
        assert apt(second, "again", url, tmp_path / "client").install("app") == APP
    with third.served() as url:
        assert apt(third, "part", url, tmp_path / "other").install("tool") == {"tool"}


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_mirror_that_is_no_longer_signed_says_so_to_clients(
    debs: str, rpms: str, tmp_path: Path, kind: str
) -> None:
    if kind == "deb":
        source = deb_source("up", debs, SUITES, key(), **ours(mode="rebuilt"))
    else:
        source = rpm_source("up", rpms, REPOSITORIES, key(), **ours(mode="rebuilt"))
    site = Site(tmp_path / "site", [source])
    site.clone()
    signed = site.client_config("up", "http://mirror.test/")
    assert "Signed-By" in signed or "repo_gpgcheck=1" in signed
    del source["sign_with"]
    site.clone()
    told = site.client_config("up", "http://mirror.test/")
    assert "Signed-By" not in told
    assert "repo_gpgcheck=1" not in told


@contextlib.contextmanager
def nginx(root: Path, place: Path) -> Iterator[str]:
    require(shutil.which("nginx") is not None, "nginx")
    port = free_port()
    place.mkdir()
    place.chmod(0o755)
    (place / "nginx.conf").write_text(
        f"daemon off; pid {place}/pid; error_log {place}/error.log; user root;\n"
        "events {} http { access_log off; default_type application/octet-stream; server {"
        f" listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    with running(["nginx", "-p", str(place), "-c", str(place / "nginx.conf")], place / "log") as process:
        wait_until(lambda: accepts(port), "nginx", process)
        yield f"http://127.0.0.1:{port}/"


def test_nginx_serves_mirrors_as_they_lie_there_through_a_change(tmp_path: Path) -> None:
    require(os.geteuid() == 0, "root, for nginx to read the test's directories")
    upstream = DebRepository(tmp_path / "www", key=key())
    upstream.publish(Deb("app"))
    RpmRepository(tmp_path / "www/os", key=key()).write([Rpm("app")])
    with static_server(tmp_path / "www") as server:
        sources = [
            deb_source("deb", server.url, ["stable main"], key()),
            rpm_source("rpm", server.url, ["os"], key(), **ours(mode="rebuilt")),
        ]
        site = Site(tmp_path / "site", sources)
        site.clone()
        with nginx(site.root / "published", tmp_path / "nginx") as url:
            client = apt(site, "deb", url, tmp_path / "client")
            fedora = dnf(site, "rpm", url, tmp_path / "dnf")
            assert fedora.names("--all") == {"app-1-1.noarch"}
            upstream.date += 60
            upstream.publish(Deb("app", "2.0"))
            site.clone()
            # It has not updated since: what its index names is there still.
            assert client.download("app") == {"app_1.0_amd64.deb"}
            client.update()
            assert client.would_install("app") == {("app", "2.0")}


# --- rpm ----------------------------------------------------------------------------------------------------

REPOSITORIES = ["os", "updates/x86_64"]
OS = (
    Rpm("app", "1.0-1", "x86_64", requires=("libapp >= 1", "/usr/share/tool/data")),
    Rpm("libapp", "1:1.0-1", "x86_64"),
    Rpm("tool", "2.0~rc1-1"),
    Rpm("unrelated", "1.0-1"),
    Rpm("perl", "5.26-1", "x86_64"),
    Rpm("perl", "5.30-1", "x86_64"),
)
RPM_UPDATES = (Rpm("app", "1.1-1", "x86_64", requires=("libapp >= 1", "tool")), Rpm("unrelated", "1.1-1"))
APP_FILES = {"app-1.1-1.x86_64", "libapp-1:1.0-1.x86_64", "tool-2.0~rc1-1.noarch"}

_STREAM = """---
document: modulemd
version: 2
data:
  name: perl
  stream: "{stream}"
  version: 1
  context: cafe0000
  arch: x86_64
  summary: A language
  description: A language
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [perl]
  artifacts:
    rpms: ["perl-0:{stream}-1.x86_64"]
...
"""
_DEFAULT = """---
document: modulemd-defaults
version: 1
data:
  module: perl
  stream: "5.26"
  profiles:
    "5.26": [default]
...
"""
MODULES = (_STREAM.format(stream="5.26") + _STREAM.format(stream="5.30") + _DEFAULT).encode()
COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps><group><id>apps</id><name>Applications</name><description>Of which there is one</description>
<default>true</default><uservisible>true</uservisible><packagelist>
<packagereq type="mandatory">app</packagereq><packagereq type="optional">unrelated</packagereq>
</packagelist></group></comps>
"""


def advisory(name: str, package: str, version: str, arch: str) -> str:
    return f"""<update from="a@example.org" status="final" type="security" version="1"><id>{name}</id>
<title>About {package}</title><issued date="2025-01-01 00:00:00"/><updated date="2025-01-01 00:00:00"/>
<severity>Important</severity><description>A hole</description><references/><pkglist><collection short="u">
<name>u</name><package name="{package}" version="{version}" release="1" epoch="0" arch="{arch}"
 src="{package}-{version}-1.src.rpm"><filename>{package}-{version}-1.{arch}.rpm</filename></package>
</collection></pkglist></update>"""


UPDATEINFO = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<updates>'
    + advisory("SEC-1", "app", "1.1", "x86_64")
    + advisory("SEC-2", "unrelated", "1.1", "noarch")
    + "</updates>\n"
).encode()


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two repositories of signed packages: with modules and groups, and with advisories."""
    root = tmp_path_factory.mktemp("rpms")
    system = RpmRepository(root / "os", key=key(), lists={"modules": MODULES}, comps=COMPS).write(OS)
    updates = RpmRepository(root / "updates/x86_64", key=key(), lists={"updateinfo": UPDATEINFO})
    updates.write(RPM_UPDATES)
    sign_rpms(root, key())
    for repository in (system, updates):
        repository.index()
    with static_server(root) as server:
        yield server.url


def both_repositories(url: str, **options: object) -> dict[str, object]:
    return dict(rpm_source("up", url, REPOSITORIES, key(), **options))


def dnf(site: Site, name: str, url: str, place: Path) -> DnfClient:
    """A client that has made its cache."""
    client = DnfClient(place, site.client_config(name, url))
    client("makecache")
    return client


RPM_MIRRORS: dict[str, Callable[[], dict[str, object]]] = {
    "full, the upstream's own metadata": dict,
    "full, our metadata": lambda: ours(mode="rebuilt"),
    "partial": lambda: ours(requirements=["app", "perl"]),
}


@pytest.mark.parametrize("kind", RPM_MIRRORS)
def test_dnf_updates_plans_downloads_and_installs(rpms: str, tmp_path: Path, kind: str) -> None:
    options = RPM_MIRRORS[kind]()
    site = Site(tmp_path / "site", [both_repositories(rpms, **options)])
    site.clone()
    everything = "requirements" not in options
    with site.served() as url:
        client = dnf(site, "up", url, tmp_path / "client")
        assert "repo_gpgcheck=1" in client.repositories
        assert ("gpgcheck=1" in client.repositories.splitlines()) is ("sign_with" not in options)
        client("repoclosure")
        client("install", "--downloadonly", "app")
        client("install", "app")
        assert client.installed() == APP_FILES
        assert (client.run("--assumeno", "install", "unrelated").returncode == 0) is False
        assert ("unrelated-1.1-1.noarch" in client.names("--latest-limit=1")) is everything
        assert "Applications" in client("group", "list", "--hidden", "-v")
        assert "5.26 [d]" in client("module", "list", "perl")
        assert "SEC-1" in client("updateinfo", "list", "--all")


def test_dnf_checks_the_vendors_signatures_too_when_it_is_told_to(rpms: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", [both_repositories(rpms, **ours(requirements=["app"]))])
    site.clone()
    with site.served() as url:
        told = site.client_config("up", url)
        checked = told.replace("\ngpgcheck=0", "\ngpgcheck=1")
        stranger = DnfClient(tmp_path / "stranger", checked)
        assert stranger.run("install", "app").returncode != 0
        vendor = checked.replace("KEY.asc", f"KEY.asc {key().public_file.as_uri()}")
        client = DnfClient(tmp_path / "client", vendor)
        client("install", "app")
        assert client.installed() == APP_FILES


def test_dnf_refuses_a_mirror_whose_entry_was_changed(rpms: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", [both_repositories(rpms, **ours(mode="rebuilt"))])
    site.clone()
    entry = site.published("up") / "os/repodata/repomd.xml"
    text = entry.read_bytes()
    entry.unlink()
    entry.write_bytes(text.replace(b"<revision>", b"<revision>1"))
    with site.served() as url:
        done = DnfClient(tmp_path / "client", site.client_config("up", url)).run("makecache")
        assert done.returncode != 0
        assert "signature" in (done.stdout + done.stderr)


@pytest.mark.parametrize("partial", [False, True])
def test_a_mirror_of_our_own_mirror_serves_dnf_as_well(rpms: str, tmp_path: Path, partial: bool) -> None:
    options = ours(requirements=["app"]) if partial else {}
    first = Site(tmp_path / "first", [both_repositories(rpms, **options)])
    first.clone()
    with first.served() as url:
        trusted = key("ours") if partial else key()
        second = Site(tmp_path / "second", [rpm_source("again", f"{url}up/", REPOSITORIES, trusted)])
        second.clone()
        assert second.clone()[0].status.value == "unchanged"
        part = rpm_source("part", f"{url}up/", REPOSITORIES, trusted, **ours(requirements=["tool"]))
        third = Site(tmp_path / "third", [part])
        third.clone()
    with second.served() as url:
        told = second.client_config("again", url).replace("gpgcheck=1\ngpgkey", "gpgcheck=0\ngpgkey")
        client = DnfClient(tmp_path / "client", told if partial else second.client_config("again", url))
        client("install", "app")
        assert client.installed() == APP_FILES
    with third.served() as url:
        client = dnf(third, "part", url, tmp_path / "other")
        assert client.names() == {"tool-2.0~rc1-1.noarch"}


def test_repoquery_sees_the_same_in_a_rebuilt_mirror_as_upstream(rpms: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", [both_repositories(rpms, **ours(mode="rebuilt"))])
    site.clone()
    told = ("requires", "provides", "files", "recommends", "obsoletes", "summary", "size", "location")
    form = "%{name}-%{evr}.%{arch}" + "".join(f" %{{{tag}}}" for tag in told)
    with site.served() as url:
        mirror = dnf(site, "up", url, tmp_path / "client")
        plain = mirror.repositories.replace("repo_gpgcheck=1", "repo_gpgcheck=0")
        upstream = DnfClient(tmp_path / "upstream", plain.replace(f"{url}up/", rpms))
        seen = [
            client("-q", "repoquery", "--all", "--qf", form).replace(base, "BASE/")
            for client, base in ((mirror, f"{url}up/"), (upstream, rpms))
        ]
        assert "perl(x86-64) = 5.26-1" in seen[0]
        assert seen[0] == seen[1]


def test_rpm_itself_finds_nothing_wrong_with_mirrored_packages(rpms: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", [both_repositories(rpms)])
    site.clone()
    files = sorted(site.published("up").rglob("*.rpm"))
    database = ["rpmkeys", "--dbpath", str(tmp_path / "db")]
    subprocess.run([*database, "--import", str(key().public_file)], check=True)
    done = subprocess.run(
        [*database, "--checksig", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("digests signatures OK") == len(files) == len(OS) + len(RPM_UPDATES)
