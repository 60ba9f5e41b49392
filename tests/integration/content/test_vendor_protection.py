# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendors' content goes only where it belongs: the cases of vendor_protection.yaml, in each way that content comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.content.catalog import repositories
from orchestrator.content.catalog.model import Repository, SourceScope
from orchestrator.content.exports.manifest import ProductEntry
from orchestrator.content.overriding import set_source
from orchestrator.content.ownership import check_address
from orchestrator.errors import Refused
from tests.support.catalog_site import ORGANIZATION, CatalogSite, catalog_site, custom, write_export
from tests.support.file_directory import FileDirectory
from tests.support.static_server import static_server

CASES = yaml.safe_load((Path(__file__).parent / "vendor_protection.yaml").read_text())
VENDORS = {"rhel9": ("redhat", "rhel-9"), "rhel8": ("redhat", "rhel-8"), "sles": ("suse", "sles-15")}
RHEL = ProductEntry("rhel", "vendor", "", "redhat", "rhel-9")
OLD = ProductEntry("rhel-old", "vendor", "", "redhat", "rhel-8")


class World:
    def __init__(self, root: Path, site: CatalogSite, url: str) -> None:
        self.root, self.site, self.url = root, site, url

    def lay(self) -> None:
        for place in (
            *(f"upstream/{product}" for product in ("tools", "more", *VENDORS)),
            "upstream/rhel9-addons",
            "mirror",
            "app/files",
            "tars/anything",
            *(f"export/content/{product}/iso" for product in ("tools", "rhel", "rhel-old")),
            *(f"{export}/content/tools/iso" for export in ("changed", "later")),
        ):
            FileDirectory(self.root / "www" / place).write({"disk.iso": place.encode()})
        for place in ("upstream", "upstream/rhel9/sub", "export/content/rhel/iso/sub"):
            (self.root / "www" / place).mkdir(exist_ok=True)
            (self.root / "www" / place / "PULP_MANIFEST").touch()
        self._lay_exports()
        (self.root / "www/app/manifest.json").write_text('{"name": "an app", "icons": []}')
        (self.root / "link-to-export-rhel").symlink_to(self.root / "www/export/content/rhel/iso")
        (self.root / "link-to-rhel9").symlink_to(self.place("rhel9/iso"))

    def _lay_exports(self) -> None:
        www = self.root / "www"
        trees = {"tools/iso": ("content/tools/iso",)}
        vendors = {"rhel/iso": ("content/rhel/iso",), "rhel-old/iso": ("content/rhel-old/iso",)}
        write_export(www / "export", [custom("tools"), RHEL, OLD], trees | vendors)
        write_export(www / "tars", [RHEL], {"rhel/iso": ()}, format_="tar")
        write_export(www / "changed", [custom("tools")], trees)
        changed = www / "changed/manifest.json"
        changed.write_text(changed.read_text().replace('"complete"', '"increment"'))
        write_export(www / "later", [custom("tools")], trees, version="2.0")

    def place(self, path: str) -> Path:
        return self.root / "content/published" / ORGANIZATION / "library/default" / path

    def address(self, place: str) -> str:
        if place.startswith("file: "):
            return str(self.root / place.removeprefix("file: "))
        return self.url + place.removeprefix("www/")

    def take(self, way: str, path: str, url: str) -> None:
        workspace = self.site.workspace
        if way == "once":
            self.site.sync(path, source_url=url, dry_run=True, allow_shrink=True)
        elif way == "permanent":
            set_source(workspace, SourceScope.REPOSITORY, ORGANIZATION, path, url)
        else:
            with workspace.catalog.reading() as session:
                check_address(workspace, session, repositories.get(session, ORGANIZATION, path), url)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("vendors")
    (root / "www").mkdir()
    with static_server(root / "www") as server, catalog_site(root / "content") as site:
        world = World(root, site, server.url)
        world.lay()
        for product in ("tools", "more", *VENDORS):
            vendor, content_id = VENDORS.get(product, ("", ""))
            site.product(product, vendor=vendor, content_id=content_id)
            site.repository(
                f"{product}/iso", "file", {"baseurl": f"{server.url}upstream/{product}", "unsigned": True}
            )
        site.sync("rhel9/iso")
        yield world


@pytest.mark.parametrize("way", ["once", "permanent", "upstream"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_content_goes_only_where_it_belongs(world: World, case: dict[str, Any], way: str) -> None:
    if way not in case.get("ways", [way]):
        return
    path, url = case["repository"], world.address(case["place"])
    try:
        if "refused" not in case:
            world.take(way, path, url)
            return
        with pytest.raises(Refused) as caught:
            world.take(way, path, url)
        assert case["refused"] in caught.value.message
        assert world.site.get(path).source_url == ""
    finally:
        set_source(world.site.workspace, SourceScope.REPOSITORY, ORGANIZATION, path, None)


def test_it_is_refused_when_the_catalog_is_changed(world: World) -> None:
    upstream = {"baseurl": f"{world.url}upstream/sles/more", "unsigned": True}
    with pytest.raises(Refused, match="content sles-15 of the vendor suse"):
        world.site.repository("tools/other", "file", upstream)
    with pytest.raises(Refused, match="no repository"):
        world.site.get("tools/other")


def test_an_upstream_in_an_export_is_noticed_when_it_is_first_asked(world: World) -> None:
    address = f"{world.url}export/content/rhel/iso"
    made = world.site.repository("more/late", "file", {"baseurl": address, "unsigned": True})
    assert isinstance(made, Repository)
    with pytest.raises(Refused, match="content rhel-9 of the vendor redhat"):
        world.site.sync("more/late")
    assert not world.place("more/late").exists()


def test_a_wide_place_is_held_to_it_for_each_repository(world: World) -> None:
    workspace = world.site.workspace
    with pytest.raises(Refused) as caught:
        set_source(workspace, SourceScope.PRODUCT, ORGANIZATION, "tools", f"{world.url}upstream/rhel9")
    assert "content rhel-9 of the vendor redhat" in caught.value.message


def test_a_list_of_mirrors_is_an_address_too(world: World) -> None:
    site = world.site
    site.product("el9", vendor="el", content_id="el-9")
    upstream = {
        "metalink": "http://list.example/?repo={repository}",
        "repositories": ["os"],
        "unsigned": True,
    }
    site.repository("el9/os", "rpm", upstream)
    with pytest.raises(Refused, match="content el-9 of the vendor el"):
        site.repository("tools/os", "rpm", upstream)


def test_where_a_list_of_mirrors_leads_is_held_to_it(world: World) -> None:
    site = world.site
    site.product("el8", vendor="older", content_id="el-8")
    site.repository("el8/os", "rpm", {"baseurl": f"{world.url}el8", "repositories": ["os"], "unsigned": True})
    (world.root / "www/list").write_text(f"{world.url}el8/os/\n")
    listed = {"mirrorlist": f"{world.url}list", "repositories": ["."], "unsigned": True}
    site.repository("tools/listed", "rpm", listed)
    with pytest.raises(Refused, match="content el-8 of the vendor older"):
        site.sync("tools/listed")
    assert not world.place("tools/listed").exists()


def test_vendors_of_one_name_share_an_archive_by_its_suites(world: World) -> None:
    site = world.site
    deb = {"baseurl": "http://archive.example/debian", "unsigned": True}
    for label, content_id, suites in (
        ("jammy", "jammy", ["jammy main", "jammy-updates main"]),
        ("noble", "noble", ["noble main"]),
    ):
        site.product(label, vendor="ubuntu", content_id=content_id)
        site.repository(f"{label}/main", "deb", {**deb, "repositories": suites})
    with pytest.raises(Refused, match="content jammy of the vendor ubuntu"):
        site.repository("noble/updates", "deb", {**deb, "repositories": ["jammy-updates universe"]})
    with pytest.raises(Refused, match="of the vendor ubuntu"):
        site.repository("tools/suite", "deb", {**deb, "repositories": ["other main"]})
