# SPDX-License-Identifier: GPL-3.0-or-later
"""Media that try to lead an import somewhere else, and words that try it with an export: refused by name, by the
command line, and nothing is there afterwards that was not there before."""

import dataclasses
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.manifest import Manifest, with_id
from orchestrator.content.signing import server_key
from orchestrator.errors import ExitCode
from tests.support.damage import members_of
from tests.support.export_site import complete_ones
from tests.support.real_media import Chain, dump, made_chain, served, trees_of
from tests.support.requirements import require
from tests.support.sync_host import Host, words_of
from tests.support.warm import WarmProgram, warm_program

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with made_chain() as made:
        yield made


@pytest.fixture(scope="module")
def program() -> Iterator[WarmProgram]:
    with warm_program() as made:
        yield made


@pytest.fixture
def host(chain: Chain, program: WarmProgram) -> Iterator[Host]:
    place = chain.place / "test"
    place.mkdir()
    (place / "evil").mkdir()
    yield Host(chain, program, place)
    shutil.rmtree(place)


def around(place: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below a directory."""
    found = {}
    for directory, names, files in os.walk(place):
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            target = os.readlink(path) if os.path.islink(path) else ""
            found[path] = (status.st_mode, status.st_size, target)
    return found


def refuse(host: Host, medium: Path, said: str) -> None:
    """The medium is refused by its name; the receiver, and all beside it, is as it was."""
    receiver = host.receiver(host.place / "receiver")
    host.environment(receiver)
    root = receiver / "content"
    before = served(root), dump(root)
    there = around(host.chain.place)
    code, told = host.run(receiver, "import", "run", medium)
    assert code not in (0, ExitCode.LOSSES), told
    assert "Traceback" not in told
    assert str(medium) in told
    assert said in told, told
    assert (served(root), dump(root)) == before
    new = {path for path, status in around(host.chain.place).items() if there.get(path) != status}
    # The lock of imports, the directory that it is in, and what the program said.
    ours = {str(root / "imports"), str(root / "imports/lock"), str(root), str(root / "lock")}
    assert {path for path in new if not path.startswith(f"{root}/incoming")} <= ours
    assert not list(root.glob("imports/*/"))


# Archives ---------------------------------------------------------------------------------------------


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = 1, 3
    return info


def rewritten(medium: Path, to: Path, *more: tarfile.TarInfo, last: bool = False) -> Path:
    """The archive as GNU tar writes it, with more in it: before everything, or at the end."""
    with tarfile.open(to, "w:gz" if to.suffix == ".tgz" else "w", format=tarfile.GNU_FORMAT) as tar:
        for info in () if last else more:
            tar.addfile(info)
        for path, data in members_of(medium).items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more if last else ():
            tar.addfile(info)
    return to


ENTRIES: dict[str, tuple[tarfile.TarInfo, str]] = {
    "a path upwards": (entry("../evil/x"), "../evil/x"),
    "a path upwards from within": (entry("objects/../../evil/x"), "../../evil/x"),
    "an absolute path": (entry("/etc/cron.d/evil"), "/etc/cron.d/evil"),
    "a name of two lines": (entry("content/a\nb"), "name"),
    "a symbolic link": (entry("objects/aa", tarfile.SYMTYPE, "../../evil"), "a symbolic link"),
    "a link": (entry("manifest.json", tarfile.LNKTYPE, "/etc/passwd"), "a link"),
    "a device": (entry("inventories/null", tarfile.CHRTYPE), "a device"),
    "a disk": (entry("sda", tarfile.BLKTYPE), "a device"),
    "a pipe": (entry("chunks/pipe", tarfile.FIFOTYPE), "a pipe"),
    "a directory upwards": (entry("../evil/y", tarfile.DIRTYPE), "name"),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_an_archive_with_something_that_is_no_file_in_it_is_refused(host: Host, what: str) -> None:
    info, said = ENTRIES[what]
    suffix = ".tgz" if len(what) % 2 else ".tar"
    medium = rewritten(host.media("tar")[0], host.place / f"evil{suffix}", info)
    refuse(host, medium, said)


def test_behind_everything_else_it_is_found_too(host: Host) -> None:
    """What came before that is in the pool; nothing of it is to be seen."""
    receiver = host.receiver(host.place / "receiver")
    before = served(receiver / "content")
    medium = rewritten(
        host.media("tar")[0],
        host.place / "evil.tar",
        entry("objects/zz", tarfile.SYMTYPE, "/etc"),
        last=True,
    )
    there = around(host.place / "evil")
    code, told = host.run(receiver, "import", "run", medium, "--no-create")
    assert code != 0
    assert str(medium) in told
    assert "a symbolic link" in told
    assert served(receiver / "content").keys() >= before.keys()
    assert around(host.place / "evil") == there


@pytest.mark.parametrize(
    "name", [b"../../evil", b"/etc/passw", b"README\ntxt", b"..\0.......", b"README/..x"]
)
def test_an_image_with_a_name_that_leads_elsewhere_is_refused(host: Host, name: bytes) -> None:
    data = bytearray(host.media("iso")[0].read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"README.txt", at)]
    at = next(at for at in places if data[at - 5 : at - 3] == b"NM")
    data[at : at + len(name)] = name
    medium = host.place / "evil.iso"
    medium.write_bytes(data)
    refuse(host, medium, "")


def linked(directory: Path) -> None:
    victim = next(path for path in directory.glob("content/*/*/*") if path.is_dir())
    shutil.rmtree(victim)
    victim.symlink_to("/etc")


def device(directory: Path) -> None:
    require(os.geteuid() == 0, "this needs to make a device: root")
    victim = next(directory.rglob("*.deb"))
    victim.unlink()
    os.mknod(victim, 0o020666, os.makedev(1, 5))


def whole_linked(directory: Path) -> None:
    (directory / "content").rename(directory / "other")
    (directory / "content").symlink_to("other")


def two_lines(directory: Path) -> None:
    (directory / "content" / "a\nb").write_bytes(b"")


@pytest.mark.parametrize("change", [linked, device, whole_linked, two_lines])
def test_a_directory_with_something_that_is_no_file_in_it_is_refused(
    host: Host, change: Callable[[Path], None]
) -> None:
    """As far as it was read it was good: the import goes on when there is something better."""
    medium = host.place / "evil-medium"
    shutil.copytree(host.media("dir")[0], medium)
    change(medium)
    receiver = host.receiver(host.place / "receiver")
    there = around(host.place / "evil-medium")
    code, told = host.run(receiver, "import", "run", medium)
    assert code == ExitCode.LOSSES, told
    assert str(medium) in told
    for path, tree in trees_of(served(receiver / "content")).items():
        assert tree in (host.chain.before.get(path), host.chain.after.get(path)), path
    assert around(host.place / "evil-medium") == there
    code, told = host.run(receiver, "import", "run", *host.media("dir"))
    assert code == 0, told
    assert trees_of(served(receiver / "content")) == host.chain.after


# Manifests and lists, signed by somebody who is trusted -----------------------------------------------


def signed(host: Host, files: Files, manifest: Manifest) -> Path:
    """A directory as a medium, with this manifest."""
    key = server_key(host.chain.place / "sender" / "identity" / "signing.pem")
    data = manifests.to_bytes(with_id(manifest))
    medium = host.place / "evil-medium"
    for path, content in {**files, "manifest.json": data, "manifest.sig": key.sign(data)}.items():
        place = medium / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return medium


def sent(host: Host) -> tuple[Files, Manifest]:
    files = members_of(host.media("dir")[0])
    return files, manifests.from_bytes(files["manifest.json"], "M")


def with_first(manifest: Manifest, **more: Any) -> Manifest:
    first, *others = manifest.repositories
    return dataclasses.replace(manifest, repositories=(dataclasses.replace(first, **more), *others))


def with_subject(manifest: Manifest, organization: str) -> Manifest:
    subject = dataclasses.replace(manifest.subject, organization=organization)
    return dataclasses.replace(manifest, subject=subject)


def of_product(manifest: Manifest, label: str) -> Manifest:
    products = tuple(dataclasses.replace(each, label=label) for each in manifest.products)
    repositories = tuple(dataclasses.replace(each, product=label) for each in manifest.repositories)
    return dataclasses.replace(manifest, products=products, repositories=repositories)


MANIFESTS: dict[str, Callable[[Manifest], Manifest]] = {
    "a repository that climbs": lambda m: with_first(m, label="../../../evil"),
    "a repository that is a dot": lambda m: with_first(m, label=".."),
    "a repository that is hidden": lambda m: with_first(m, label=".new"),
    "a product that climbs": lambda m: of_product(m, "../../evil"),
    "an absolute product": lambda m: of_product(m, "/etc"),
    "a tree that climbs": lambda m: with_first(m, trees=("content/../../evil",)),
    "an absolute tree": lambda m: with_first(m, trees=("/etc",)),
    "a tree beside the content": lambda m: with_first(m, trees=("content-evil/x",)),
    "one tree of two repositories": lambda m: with_first(m, trees=m.repositories[1].trees),
    "a tree in the tree of another": lambda m: with_first(m, trees=(f"{m.repositories[1].trees[0]}/pool",)),
    "an organization that climbs": lambda m: with_subject(m, "../../etc"),
    "an organization of two lines": lambda m: with_subject(m, "acme\nevil"),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_whose_names_lead_elsewhere_is_refused(host: Host, what: str) -> None:
    files, manifest = sent(host)
    refuse(host, signed(host, files, MANIFESTS[what](manifest)), "manifest")


LISTS = {
    "a file that climbs": ["../../../../evil/x"],
    "an absolute file": ["/etc/cron.d/evil"],
    "a file twice": ["a", "a"],
    "a file in a file": ["a", "a/b"],
    "a file that is a dot": ["a/./b"],
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_of_files_that_lead_elsewhere_leaves_its_repository_alone(host: Host, what: str) -> None:
    """Of the others of the export what can be imported is."""
    files, manifest = sent(host)
    data = b"evil"
    sha256 = hashlib.sha256(data).hexdigest()
    lines = "".join(f"{sha256} {len(data)} {path}\n" for path in LISTS[what])
    listed = f"# inventory 1\n{lines}# end\n".encode()
    digest = hashlib.sha256(listed).hexdigest()
    first = manifest.repositories[0]
    files[f"inventories/{digest}"] = listed
    files[f"{first.trees[0]}/evil"] = data
    medium = signed(host, files, with_first(manifest, inventory=digest))
    receiver = host.receiver(host.place / "receiver")
    root = receiver / "content"
    before = {path: content for path, content in served(root).items() if f"/{first.path}/" in path}
    there = around(host.place / "evil"), around(host.chain.place / "media")
    code, told = host.run(receiver, "import", "run", medium)
    assert code == ExitCode.REFUSED, told
    assert digest[:12] in told, told
    assert {path: content for path, content in served(root).items() if f"/{first.path}/" in path} == before
    assert (around(host.place / "evil"), around(host.chain.place / "media")) == there
    assert not (host.place / "x").exists()


# Exports ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["../../etc", "/etc", "..", ".hidden", "a\nb", "2026-01-01T000000Z"])
def test_a_destination_is_no_path(host: Host, destination: str) -> None:
    sender = host.sender(host.place / "sender")
    there = around(host.place)
    code, told = host.run(sender, *words_of("tar"), "--destination", destination)
    assert "Traceback" not in told
    new = around(host.place).keys() - there.keys()
    inside = (
        f"{sender}/exports",
        f"{sender}/orchestrator.yaml",
        f"{sender}/catalog.sqlite",
        f"{sender}/lock",
    )
    assert not [path for path in new if not path.startswith(inside)]
    if code == 0:
        [made] = complete_ones(sender / "exports")
        assert made.parent.parent == sender / "exports/acme/library/-"
        assert made.parent.name[0] != "."


def test_a_directory_whose_name_begins_like_a_root_is_another_one(host: Host) -> None:
    sender = host.sender(host.place / "sender")
    for name in ("exports-evil", "pool-evil"):
        (sender / name).mkdir()
        (sender / name / "mine").write_bytes(b"mine")
        code, told = host.run(sender, *words_of("tar"), "--to", sender / name)
        assert code == 0, told
    for name in ("pool", "published", "pool-evil/../pool"):
        code, told = host.run(sender, *words_of("tgz"), "--to", sender / name)
        assert code == ExitCode.REFUSED, told
    for number in ("6", "7"):
        code, told = host.run(sender, "export", "delete", number)
        assert code == 0, told
    assert os.listdir(sender / "exports-evil") == os.listdir(sender / "pool-evil") == ["mine"]
