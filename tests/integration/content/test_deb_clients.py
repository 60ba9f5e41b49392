# SPDX-License-Identifier: GPL-3.0-or-later
"""Real apt-get against trees that the deb format wrote: verbatim, rebuilt, flat and created ones."""

from pathlib import Path

import pytest

from orchestrator.content.formats.deb.driver import DebFormat
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from tests.support.apt_client import AptClient
from tests.support.deb_mirror import NOW, DebMirror, lay
from tests.support.deb_repository import Deb, DebRepository
from tests.support.openpgp import key
from tests.support.static_server import static_server

DEBS = (
    Deb("web", "2.0-1", depends="libweb (>= 1:2), db"),
    Deb("libweb", "1:2.1", architecture="all", source="web (2.0-1)"),
    Deb("postgres", "15.3", provides="db"),
    Deb("unrelated", "1.0"),
)


NEEDED = {"web", "libweb", "postgres"}


def use(tree: Path, client: Path, source: Source, key_file: Path | None, *, languages: str = "none") -> None:
    """A client updates, plans, downloads and installs `web` from the tree."""
    with static_server(tree) as server:
        told = DebFormat().client_config(source, server.url, str(key_file or ""))
        apt = AptClient(client, told, languages=languages)
        apt.update()
        assert {name for name, _ in apt.would_install("web")} == NEEDED
        assert len(apt.download("web")) == len(NEEDED)
        assert not [path for _, path, status in server.requests if status >= 400 and "by-hash" in path]


def test_apt_uses_a_verbatim_tree_with_the_upstreams_signature(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), translations=("en",), contents=True)
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, contents=True)
    use(mirror.verbatim(), tmp_path / "client", mirror.source, key().public_file, languages="en")


def test_apt_uses_a_rebuilt_tree_with_our_signature(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), translations=("en",))
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, partial=True)
    ours = key("ours")
    tree = mirror.rebuilt(*NEEDED, signer=Signer.load(ours.secret_file))
    use(tree, tmp_path / "client", mirror.source, ours.public_file, languages="en")
    with static_server(tree) as server:
        apt = AptClient(
            tmp_path / "other", DebFormat().client_config(mirror.source, server.url, str(ours.public_file))
        )
        apt.update()
        assert apt.get("-s", "install", "unrelated").returncode != 0


def test_apt_uses_a_rebuilt_tree_without_a_signature_when_it_is_told_to(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key())
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, partial=True)
    with static_server(mirror.rebuilt(*NEEDED)) as server:
        apt = AptClient(tmp_path / "client", DebFormat().client_config(mirror.source, server.url, ""))
        assert apt.get("update", "--error-on=any").returncode == 0
        assert {name for name, _ in apt.would_install("web")} == NEEDED


@pytest.mark.parametrize("repository", ["./", "debian/12/"])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_apt_uses_flat_trees(tmp_path: Path, repository: str, rebuilt: bool) -> None:
    upstream = DebRepository(tmp_path / "upstream", repository, key=key(), fields={"Suite": repository})
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, partial=rebuilt)
    tree = mirror.rebuilt(*NEEDED, signer=Signer.load(key().secret_file)) if rebuilt else mirror.verbatim()
    use(tree, tmp_path / "client", mirror.source, key().public_file)


def test_apt_reads_indexes_for_all_architectures_from_a_rebuilt_tree(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), serves_all=True)
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, partial=True)
    tree = mirror.rebuilt(*NEEDED, signer=Signer.load(key().secret_file))
    assert (tree / "dists/stable/main/binary-all/Packages.gz").exists()
    use(tree, tmp_path / "client", mirror.source, key().public_file)


def test_apt_gets_source_packages_from_a_rebuilt_tree(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), sources=True)
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, partial=True, sources=True)
    tree = mirror.rebuilt(*NEEDED, signer=Signer.load(key().secret_file))
    with static_server(tree) as server:
        told = DebFormat().client_config(mirror.source, server.url, str(key().public_file))
        apt = AptClient(tmp_path / "client", told)
        apt.update()
        apt.must("--download-only", "source", "libweb")
        assert (tmp_path / "client/web_2.0-1.dsc").exists()
        assert apt.get("--download-only", "source", "unrelated").returncode != 0


@pytest.mark.parametrize("repository", ["", "stable main", "local/"])
def test_apt_installs_from_a_repository_made_of_local_packages(tmp_path: Path, repository: str) -> None:
    pool = Pool(tmp_path / "destination")
    files = []
    for deb, compression in zip(DEBS, ("gz", "xz", "zst", ""), strict=True):
        data = deb.bytes("xz" if compression == "zst" else compression)
        files.append(StoredFile(f"{deb.name}.deb", len(data), pool.add_bytes(data)))
    source = Source("made", "deb", (), (repository,) if repository else ())
    written = DebFormat().create(files, source, pool, NOW, Signer.load(key().secret_file))
    with static_server(lay(pool, tmp_path / "tree", written)) as server:
        told = DebFormat().client_config(source, server.url, str(key().public_file))
        apt = AptClient(tmp_path / "client", told)
        apt.update()
        assert {name for name, _ in apt.would_install("web")} == NEEDED
        assert apt.install("web") == NEEDED


def test_apt_uses_a_created_repository_of_nothing_but_packages_for_all(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "destination")
    data = Deb("data", architecture="all").bytes()
    source = Source("made", "deb", (), ())
    written = DebFormat().create(
        [StoredFile("data.deb", len(data), pool.add_bytes(data))], source, pool, NOW, None
    )
    with static_server(lay(pool, tmp_path / "tree", written)) as server:
        apt = AptClient(tmp_path / "client", DebFormat().client_config(source, server.url, ""))
        assert apt.get("update", "--error-on=any").returncode == 0
        assert {name for name, _ in apt.would_install("data")} == {"data"}
