# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses in one source that packages of another need: told where they happen, whatever the other's metadata is."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import content
from tests.support.fault_server import always, fault_server, status
from tests.support.mirror_walk import packages, walk
from tests.support.mirrored import KINDS, QUICK, REPOSITORY, Kind, archive, package_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_tells_the_packages_of_the_master_that_need_it(kind: Kind, tmp_path: Path) -> None:
    """`web` of the master needs `db`, which the other source completes it with."""

    def source(name: str, url: str, **more: Any) -> dict[str, Any]:
        own = {"architectures": ["amd64"], "translations": []} if kind == "deb" else {}
        told = {"name": name, "type": kind, "baseurl": url, "repositories": [REPOSITORY[kind]]}
        return {**told, "unsigned": True, **own, **more}

    with fault_server(tmp_path / "a") as theirs, fault_server(tmp_path / "b") as completing:
        theirs.root = archive(kind, 1, ("web", "other"))
        completing.root = archive(kind, 1, ("db", "extra"))
        path = package_path(kind, "db", 1)
        completing.faults[f"/{path}"] = always(status(404))
        sources = [source("mos", theirs.url), source("base", completing.url, master="mos")]
        config = tmp_path / "mirrors.yaml"
        common = {**QUICK, "destination": "content"}
        config.write_text(yaml.safe_dump({"common": common, "sources": sources}))
        mirrors = content.load_mirrors(config)
        with content.Engine(mirrors) as engine:
            mos, base = content.clone(engine, mirrors.sources, (), content.Wish())
            assert (mos.exit_code, base.exit_code) == (0, 3)
            first, second = base.lost
            assert (first.what, second.why) == (path, "needs db, which is lost")
            assert second.what.startswith("web ")
            assert second.what.endswith(" of mos")
            for name, count in (("mos", 2), ("base", 0)):
                tree = tmp_path / "content/published" / name
                assert walk(kind, tree, REPOSITORY[kind]) == []
                assert len(packages(kind, tree, REPOSITORY[kind])) == count
            completing.faults.clear()
            assert content.exit_code_of(content.clone(engine, mirrors.sources, (), content.Wish())) == 0
