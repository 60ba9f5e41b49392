# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata of our own: what is passed on, what is cut, what is left out, and that it is the same every time."""

import gzip
import hashlib
from pathlib import Path

import pytest

from orchestrator.content.formats.rpm import markup, repomd
from orchestrator.content.formats.rpm.reading import Reading
from orchestrator.content.model import Metadata, StoredFile
from orchestrator.content.signatures import Keyring, Signer
from orchestrator.errors import BadContent
from tests.support.openpgp import key
from tests.support.rpm_mirror import WHEN, RpmMirror, titles
from tests.support.rpm_repository import Rpm, RpmRepository

RPMS = (
    Rpm("web", "1:2.0-1", "x86_64", requires=("lib",), files=("/usr/bin/web", "/usr/share/web/data")),
    Rpm("lib", "2.0-1", "x86_64"),
    Rpm("unused"),
)
ADVISORY = """<update from="us" status="final" type="security" version="2"><id>{id}</id><title>T &amp; U</title>
<issued date="2024-01-01"/><references><reference href="http://x.test/" id="1" type="cve"/></references>
<description><![CDATA[<package name="web"> is & was]]></description>
<pkglist><collection short="c"><name>c</name>{packages}</collection></pkglist></update>
"""
PACKAGE = '<package name="{}" epoch="{}" version="{}" release="1" arch="{}"><filename>f</filename></package>'
UPDATEINFO = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n'
    + ADVISORY.format(
        id="KEPT",
        packages=PACKAGE.format("web", 1, "2.0", "x86_64") + PACKAGE.format("unused", 0, 1, "noarch"),
    )
    + ADVISORY.format(id="OTHER-VERSION", packages=PACKAGE.format("web", 1, "1.9", "x86_64"))
    + ADVISORY.format(id="OTHER", packages=PACKAGE.format("unused", 0, 1, "noarch"))
    + "</updates>\n"
).encode()
COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<comps>
  <group><id>servers</id><name>Servers</name><name xml:lang="de">Dienste</name><packagelist>
    <packagereq type="mandatory">web</packagereq><packagereq>unused</packagereq></packagelist></group>
  <group><id>gone</id><packagelist><packagereq>unused</packagereq></packagelist></group>
  <environment><id>all</id><grouplist><groupid>servers</groupid><groupid>gone</groupid></grouplist></environment>
  <environment><id>none</id><grouplist><groupid>gone</groupid></grouplist></environment>
  <langpacks><match install="web-%s" name="web"/><match install="x-%s" name="x"/></langpacks>
</comps>
"""
MODULE = """---
document: modulemd
version: 2
data:
  name: {name}
  stream: {stream}
  summary: A module
  description: >-
    - not-1:2-3.a of its packages
  dependencies:
  - requires:
{requires}
  artifacts:
    rpms:
    - {artifact}
    - absent-0:1-1.noarch
...
"""
DEFAULTS = """---
document: modulemd-defaults
version: 1
data:
  module: {name}
  stream: "1.10"
...
"""
MODULES = (
    MODULE.format(
        name="server", stream='"1.10"', artifact="web-1:2.0-1.x86_64", requires="      perl: [5.30]"
    )
    + MODULE.format(name="server", stream="2", artifact="web-1:3.0-1.x86_64", requires="      perl: []")
    + MODULE.format(
        name="perl", stream="5.30", artifact="perl-0:5-1.noarch", requires="      platform: [el8]"
    )
    + MODULE.format(
        name="perl", stream="5.32", artifact="perl-0:6-1.noarch", requires="      platform: [el8]"
    )
    + MODULE.format(name="idle", stream="1", artifact="idle-0:1-1.noarch", requires="      platform: [el8]")
    + DEFAULTS.format(name="server")
    + DEFAULTS.format(name="idle")
).encode()
LISTS = {"updateinfo": UPDATEINFO, "modules": MODULES, "productid": b"certificate", "strange": b"unknown"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> RpmRepository:
    place = tmp_path_factory.mktemp("template") / "upstream"
    options = ("--database",)
    return RpmRepository(place, lists=LISTS, comps=COMPS, options=options).write(RPMS)


@pytest.fixture
def mirror(template: RpmRepository, tmp_path: Path) -> RpmMirror:
    return RpmMirror(tmp_path, template.root, mode="rebuilt")


def plain(tree: Path, type_: str) -> bytes:
    """The text of a record of a tree, whose bytes are what repomd.xml says."""
    parsed = repomd.parse((tree / repomd.ENTRY).read_bytes(), "ours")
    record = parsed.record(type_)
    assert record, [record.type for record in parsed.records]
    data = (tree / record.href).read_bytes()
    assert len(data) == record.size
    assert hashlib.sha256(data).hexdigest() == record.digest.value
    assert f"{record.digest.value}-" in record.href or type_ in ("productid", "strange")
    text = gzip.decompress(data) if record.href.endswith(".gz") else data
    if record.open_digest:
        assert hashlib.new(record.open_digest.algorithm, text).hexdigest() == record.open_digest.value
        assert record.open_size == len(text)
    return text


def test_the_kept_packages_are_listed_as_the_upstream_lists_them(mirror: RpmMirror) -> None:
    tree = mirror.rebuilt(mirror.offer.named("web"))
    again = RpmMirror(tree.parent / "again", tree)
    assert again.offer.packages() == tuple(mirror.offer.named("web"))
    assert again.offer.details(again.offer.packages()[0]) == mirror.offer.details(
        mirror.offer.named("web")[0]
    )
    for type_ in ("primary", "filelists", "other"):
        root = markup.parse(plain(tree, type_), type_)
        assert root.get("packages") == "1"
        assert len(root.findall("package")) == 1
    assert b"<file>/usr/share/web/data</file>" in plain(tree, "filelists")
    assert again.metadata[0].date == WHEN


def test_nothing_is_left_over_or_left_out(mirror: RpmMirror) -> None:
    tree = mirror.rebuilt(mirror.offer.named("web"))
    types = {record.type for record in repomd.parse((tree / repomd.ENTRY).read_bytes(), "ours").records}
    assert types == {
        *("primary", "filelists", "other", "updateinfo", "modules", "group", "group_gz"),
        *("productid", "strange"),
    }
    assert plain(tree, "productid") == b"certificate"
    assert plain(tree, "strange") == b"unknown"


def test_advisories_are_cut_to_what_is_kept(mirror: RpmMirror) -> None:
    root = markup.parse(plain(mirror.rebuilt(mirror.offer.named("web")), "updateinfo"), "updateinfo")
    (update,) = root.findall("update")
    assert update.findtext("id") == "KEPT"
    assert update.findtext("description") == '<package name="web"> is & was'
    assert [package.get("name") for package in update.iter("package")] == ["web"]
    assert update.find("references/reference") is not None


def test_groups_are_cut_to_what_is_kept(mirror: RpmMirror) -> None:
    tree = mirror.rebuilt(mirror.offer.named("web"))
    root = markup.parse(plain(tree, "group"), "comps")
    assert [group.findtext("id") for group in root.findall("group")] == ["servers"]
    assert [request.text for request in root.iter("packagereq")] == ["web"]
    assert [name.get("xml:lang") for name in root.iter("name")] == [None, "de"]
    (environment,) = root.findall("environment")
    assert [each.text for each in environment.iter("groupid")] == ["servers"]
    assert [match.get("name") for match in root.iter("match")] == ["web"]
    assert plain(tree, "group_gz") == plain(tree, "group")


def test_modules_are_kept_with_their_packages_and_what_they_require(mirror: RpmMirror) -> None:
    text = plain(mirror.rebuilt(mirror.offer.named("web")), "modules").decode()
    documents = [part for part in MODULES.decode().split("---\n") if part and "---\n" + part in text]
    assert text == "".join("---\n" + part for part in documents)
    assert [("name: server" in d, "5.30" in d.split("artifacts")[0], "defaults" in d) for d in documents] == [
        (True, True, False),
        (False, True, False),
        (False, False, True),
    ]


def test_of_nothing_kept_an_empty_repository_is_made(mirror: RpmMirror) -> None:
    tree = mirror.rebuilt([])
    assert not RpmMirror(tree.parent / "again", tree).offer.packages()
    types = {record.type for record in repomd.parse((tree / repomd.ENTRY).read_bytes(), "ours").records}
    assert not types & {"updateinfo", "modules"}


def test_the_same_input_gives_the_same_bytes(mirror: RpmMirror) -> None:
    packages = mirror.offer.named("web")
    kept = {package: StoredFile(package.file.path, 1, "0" * 64) for package in packages}
    assert mirror.rebuild(kept) == mirror.rebuild(kept)


@pytest.mark.parametrize("checksum", ["sha1", "md5"])
def test_digests_of_yesterday_are_replaced(tmp_path: Path, checksum: str) -> None:
    upstream = RpmRepository(tmp_path / "upstream", checksum=checksum, lists={"strange": b"x"})  # type: ignore[arg-type]
    upstream.write(RPMS)
    mirror = RpmMirror(tmp_path, upstream.root, mode="rebuilt")
    tree = mirror.rebuilt(mirror.offer.named("web"))
    (package,) = RpmMirror(tmp_path / "again", tree).offer.packages()
    sha256 = hashlib.sha256((tree / package.file.path).read_bytes()).hexdigest()
    assert package.file.digest == ("sha256", sha256)
    for type_ in ("filelists", "other"):
        element = markup.parse(plain(tree, type_), type_).find("package")
        assert element is not None
        assert element.get("pkgid") == sha256
    text = (tree / repomd.ENTRY).read_text()
    assert f'type="{checksum}"' not in text
    assert plain(tree, "strange") == b"x"


def test_a_package_that_filelists_leaves_out_is_counted_all_the_same(
    template: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, template.root, mode="rebuilt")
    (reading,) = mirror.offer.readings
    record = reading.record("filelists")
    assert record
    stored = reading.stored(record)
    assert stored
    empty = gzip.compress(
        b'<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="0"/>', mtime=0
    )
    _swap(mirror, reading, stored, empty)
    root = markup.parse(plain(mirror.rebuilt(mirror.offer.named("web")), "filelists"), "filelists")
    (element,) = root
    assert (root.get("packages"), element.get("name"), element.get("arch")) == ("1", "web", "x86_64")


def _swap(mirror: RpmMirror, reading: Reading, stored: StoredFile, data: bytes) -> None:
    """Another text for a record, that repomd.xml knows."""
    sha256 = mirror.pool.add_bytes(data)
    text = mirror.pool.read(reading.metadata.entry[0].sha256)
    start = text.index(b'<data type="filelists">')
    end = text.index(b"</data>", start)
    record = (
        f'<data type="filelists"><checksum type="sha256">{sha256}</checksum><location href="{stored.path}"/>'
    ).encode()
    entry = mirror.pool.add_bytes(text[:start] + record + text[end:])
    old = reading.metadata
    indexes = tuple(
        StoredFile(stored.path, len(data), sha256, stored.role) if file == stored else file
        for file in old.indexes
    )
    files = (StoredFile(old.entry[0].path, 0, entry, old.entry[0].role),)
    mirror.metadata = (Metadata(old.repository, files, indexes, old.validators, old.url),)


def test_repomd_is_signed_for_clients(mirror: RpmMirror) -> None:
    tree = mirror.rebuilt(mirror.offer.named("web"), Signer.load(key().secret_file))
    signature = (tree / f"{repomd.ENTRY}.asc").read_bytes()
    keyring = Keyring.load([key().public_file])
    assert keyring.verify_detached((tree / repomd.ENTRY).read_bytes(), signature, "ours")
    assert len(RpmMirror(tree.parent / "again", tree, keys=(key().public_file,)).offer.packages()) == 1


def test_source_packages_beside_the_kept_ones_are_listed(tmp_path: Path) -> None:
    upstream = RpmRepository(tmp_path / "upstream").write([Rpm("web")])
    mirror = RpmMirror(tmp_path, upstream.root, mode="rebuilt", sources=True)
    assert titles(mirror.offer.packages()) == {"web-1-1.noarch"}
    assert mirror.offer.companions(mirror.offer.packages()) == []


@pytest.mark.parametrize(
    ("list_", "data"),
    [
        ("updateinfo", UPDATEINFO[:-30]),
        ("modules", b"---\ndocument: modulemd\ndata: [\n"),
        ("modules", b"--- just text\n"),
        ("modules", b"---\n\xff\n"),
    ],
)
def test_broken_lists_are_refused_with_their_address(tmp_path: Path, list_: str, data: bytes) -> None:
    upstream = RpmRepository(tmp_path / "upstream", lists={list_: data}).write(RPMS[:2])
    mirror = RpmMirror(tmp_path, upstream.root, mode="rebuilt")
    with pytest.raises(BadContent, match=r"http://upstream\.test/repodata/"):
        mirror.rebuilt(mirror.offer.named("web"))
