# SPDX-License-Identifier: GPL-3.0-or-later
"""A real dnf uses what the rpm format makes: the upstream's own metadata, ours, and new repositories."""

from collections.abc import Collection
from pathlib import Path

import pytest

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm.driver import RpmFormat
from orchestrator.content.model import ClosureOptions, Role, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from tests.support.deb_mirror import lay
from tests.support.dnf_client import DnfClient
from tests.support.openpgp import key
from tests.support.rpm_mirror import WHEN, RpmMirror
from tests.support.rpm_repository import Rpm, RpmRepository, build

RPMS = (
    Rpm("web", "1:1.20-1", "x86_64", requires=("lib >= 2",)),
    Rpm("web", "1:1.22-1", "x86_64", requires=("lib >= 2", "(a or b)", "/usr/share/deep/file")),
    Rpm("lib", "2.1-1", "x86_64", provides=("lib(api) = 2",)),
    Rpm("lib", "2.1-1", "i686"),
    Rpm("a"),
    Rpm("b"),
    Rpm("deep", files=("/usr/share/deep/file",)),
    Rpm("mta", recommends=("doc",)),
    Rpm("doc"),
    Rpm("old"),
    Rpm("new", obsoletes=("old",)),
    Rpm("modular", "1-1", "x86_64"),
    Rpm("needs-modular", requires=("modular",)),
)
UPDATEINFO = b"""<?xml version="1.0" encoding="UTF-8"?>
<updates>
 <update from="us" status="final" type="security" version="1"><id>ADV-1</id><title>web</title><severity>Low</severity>
  <issued date="2024-01-01 00:00:00"/><description>d</description><pkglist><collection short="c"><name>c</name>
  <package name="web" epoch="1" version="1.22" release="1" arch="x86_64"><filename>w.rpm</filename></package>
  <package name="mta" epoch="0" version="1" release="1" arch="noarch"><filename>m.rpm</filename></package>
  </collection></pkglist></update>
 <update from="us" status="final" type="bugfix" version="1"><id>ADV-2</id><title>mta</title><severity>Low</severity>
  <issued date="2024-01-01 00:00:00"/><description>d</description><pkglist><collection short="c"><name>c</name>
  <package name="mta" epoch="0" version="1" release="1" arch="noarch"><filename>m.rpm</filename></package>
  </collection></pkglist></update>
</updates>
"""
MODULES = b"""---
document: modulemd
version: 2
data:
  name: server
  stream: "1"
  version: 1
  context: deadbeef
  arch: x86_64
  summary: A server
  description: >-
    A server.
  license: {module: [MIT]}
  dependencies:
  - requires: {platform: [el8]}
  profiles:
    default: {rpms: [modular]}
  artifacts:
    rpms:
    - modular-0:1-1.x86_64
...
---
document: modulemd-defaults
version: 1
data:
  module: server
  stream: "1"
...
"""
COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group><id>servers</id><name>Servers</name><description/><default>true</default><uservisible>true</uservisible>
    <packagelist><packagereq type="mandatory">web</packagereq><packagereq type="mandatory">mta</packagereq>
    </packagelist></group>
</comps>
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> RpmRepository:
    place = tmp_path_factory.mktemp("clients") / "upstream"
    lists = {"updateinfo": UPDATEINFO, "modules": MODULES, "productid": b"x"}
    return RpmRepository(place, key=key(), lists=lists, comps=COMPS).write(RPMS)


def client(mirror: RpmMirror, place: Path, signed: bool = True) -> DnfClient:
    """One that has the mirror's own .repo file."""
    address = f"file:///{str(mirror.tree).lstrip('/')}"
    where = f"file://{key().public_file}" if signed else ""
    return DnfClient(place, mirror.format.client_config(mirror.source, address, where))


def partial(mirror: RpmMirror, *requirements: str, weak: bool = False) -> Path:
    closure = mirror.format.closure([Member(mirror.offer)], requirements, ClosureOptions(weak=weak))
    assert not closure.unresolved
    return mirror.rebuilt(list(closure.chosen), Signer.load(key().secret_file))


def names(titles: Collection[str]) -> set[str]:
    return {title.rpartition("-")[0].rpartition("-")[0] for title in titles}


def test_dnf_takes_the_upstreams_own_metadata_with_its_signature(
    upstream: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=(key().public_file,))
    mirror.verbatim()
    dnf = client(mirror, tmp_path / "client")
    dnf("makecache")
    assert dnf.names() == {f"{rpm.name}-{rpm.evr}.{rpm.arch}" for rpm in RPMS}
    dnf("repoclosure")
    dnf("--setopt=up.gpgcheck=0", "install", "web")
    assert names(dnf.installed()) == {"web", "lib", "a", "deep"}


def test_dnf_installs_from_a_signed_partial_mirror(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, partial=True)
    partial(mirror, "web", "mta")
    dnf = client(mirror, tmp_path / "client")
    dnf("makecache")
    assert names(dnf.names()) == {"web", "lib", "a", "deep", "mta"}
    dnf("repoclosure")
    dnf("download", "--destdir", str(tmp_path / "down"), "web")
    assert (tmp_path / "down" / "web-1.22-1.x86_64.rpm").exists()
    dnf("install", "web", "/usr/share/deep/file")
    assert names(dnf.installed()) == {"web", "lib", "a", "deep"}


def test_dnf_refuses_a_partial_mirror_that_was_tampered_with(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, partial=True)
    entry = partial(mirror, "web") / "repodata/repomd.xml"
    text = entry.read_bytes().replace(b"<revision>", b"<revision>1")
    entry.unlink()
    entry.write_bytes(text)
    done = client(mirror, tmp_path / "client").run("makecache")
    assert done.returncode != 0
    assert "GPG" in done.stdout + done.stderr


def test_advisories_groups_and_modules_survive(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, partial=True)
    partial(mirror, "web", "needs-modular")
    dnf = client(mirror, tmp_path / "client")
    dnf("install", "web")
    advisories = dnf("updateinfo", "list", "--all")
    assert "ADV-1" in advisories
    assert "ADV-2" not in advisories
    assert "server" in dnf("module", "list")
    assert "web" in dnf("group", "info", "servers")
    assert "mta" not in dnf("group", "info", "servers")
    dnf("install", "needs-modular")
    assert names(dnf.installed()) == {"web", "lib", "a", "deep", "modular", "needs-modular"}


@pytest.mark.parametrize(
    "requirements",
    [("web",), ("web < 1:1.22",), ("new",), ("mta",), ("lib(api)",), ("/usr/share/deep/file", "b")],
)
def test_dnf_chooses_from_a_partial_mirror_what_it_chooses_from_the_upstream(
    upstream: RpmRepository, tmp_path: Path, requirements: tuple[str, ...]
) -> None:
    full = RpmMirror(tmp_path / "full", upstream.root, keys=(key().public_file,))
    full.verbatim()
    part = RpmMirror(tmp_path / "part", upstream.root, partial=True)
    partial(part, *requirements)
    chosen = []
    for mirror, options in ((full, ("--setopt=up.gpgcheck=0",)), (part, ())):
        dnf = client(mirror, mirror.tree.parent / "client")
        dnf(*options, "install", *requirements)
        chosen.append(dnf.installed())
    assert chosen[0] == chosen[1]
    assert chosen[0]


@pytest.mark.parametrize("checksum", ["sha1", "md5", "sha512"])
def test_dnf_installs_from_what_was_made_of_old_digests(tmp_path: Path, checksum: str) -> None:
    upstream = RpmRepository(tmp_path / "upstream", checksum=checksum).write(RPMS)  # type: ignore[arg-type]
    mirror = RpmMirror(tmp_path, upstream.root, partial=True)
    partial(mirror, "web")
    dnf = client(mirror, tmp_path / "client")
    dnf("install", "web")
    assert names(dnf.installed()) == {"web", "lib", "a", "deep"}


def test_dnf_installs_from_a_repository_of_local_files(tmp_path: Path) -> None:
    pool, source = Pool(tmp_path / "destination"), Source("ours", "rpm", (), (".",), mode="rebuilt")
    rpms = (Rpm("web", requires=("lib",)), Rpm("lib", files=("/usr/bin/lib",)))
    stored = [
        StoredFile(file.name, file.stat().st_size, pool.add_bytes(file.read_bytes()), Role.PACKAGE)
        for file in build(rpms).values()
    ]
    files = RpmFormat().create(stored, source, pool, WHEN, Signer.load(key().secret_file))
    tree = lay(pool, tmp_path / "tree", files)
    address = f"file://{tree}"
    dnf = DnfClient(
        tmp_path / "client", RpmFormat().client_config(source, address, f"file://{key().public_file}")
    )
    dnf("install", "web")
    assert names(dnf.installed()) == {"web", "lib"}
