# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that imports: made in a directory, looked at as its clients and its catalog see it."""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.content.catalog import (
    environments,
    imports,
    keys,
    organizations,
    products,
    repositories,
    snapshots,
    views,
)
from orchestrator.content.catalog.database import open_catalog
from orchestrator.content.catalog.model import Actor
from orchestrator.content.events import Event
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.imports.deciding import Wish
from orchestrator.content.imports.here import has_catalog
from orchestrator.content.imports.outcome import ImportOutcome
from orchestrator.content.imports.plan import ImportPlan, plan
from orchestrator.content.imports.running import run
from orchestrator.content.settings import ContentSettings
from orchestrator.content.workspace import Workspace
from tests.support.sending import KEY


@dataclass
class Server:
    root: Path
    workspace: Workspace
    events: list[Event]

    def run(self, media: Sequence[MediumReader], **wish: Any) -> ImportOutcome:
        return run(self.workspace, media, Wish(**wish))

    def plan(self, media: Sequence[MediumReader], **wish: Any) -> ImportPlan:
        return plan(self.workspace, media, Wish(**wish))

    def served(self) -> dict[str, bytes]:
        """What clients get, by the place below published/."""
        published = self.root / "published"
        found = {}
        for directory, _, names in os.walk(published, followlinks=True):
            for name in names:
                path = Path(directory, name)
                found[str(path.relative_to(published))] = path.read_bytes()
        return found

    def repository(self, path: str, organization: str = "acme") -> dict[str, bytes]:
        """What clients get of one repository."""
        place = f"{organization}/library/default/{path}/"
        return {
            name.removeprefix(place): data for name, data in self.served().items() if name.startswith(place)
        }

    def rows(self, *, with_imports: bool = False) -> dict[str, Any]:
        """What the catalog says, without times."""
        if not has_catalog(self.workspace):
            return {}
        with self.workspace.catalog.reading() as session:
            labels = [each.label for each in organizations.all(session)]
            found: dict[str, Any] = {"organizations": labels}
            for label in labels:
                there = repositories.all(session, label)
                found[label] = {
                    "products": products.all(session, label),
                    "repositories": there,
                    "keys": keys.all(session, label),
                    "of": {each.path: keys.of_repository(session, each) for each in there},
                    "snapshots": {
                        each.path: [(s.number, s.inventory, s.origin) for s in snapshots.all(session, each)]
                        for each in there
                    },
                    "views": views.all(session, label),
                    "versions": {
                        view.label: [
                            (v.number, [(path, s.inventory) for path, s in v.contents])
                            for v in views.versions(session, label, view.label)
                        ]
                        for view in views.all(session, label)
                    },
                    "environments": environments.all(session, label),
                }
            if with_imports:
                found["imports"] = {each.export_id: each.state for each in imports.all(session)}
        return found

    def state(self) -> tuple[dict[str, bytes], dict[str, Any]]:
        return self.served(), self.rows()

    def pooled(self) -> set[str]:
        return {path.name for path in (self.root / "pool").glob("??/*")}


@functools.cache
def _new_catalog(organization: str) -> bytes:
    """As the program makes one; each time that takes a quarter of a second."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "catalog.sqlite"
        open_catalog(f"sqlite:///{path}", organization).close()
        return path.read_bytes()


@contextmanager
def server(place: Path, *, trusts: bool = True, fresh: bool = False) -> Iterator[Server]:
    """With nothing on it but the key that it trusts and, if it is not quite `fresh`, a catalog of nothing."""
    root = place / "server"
    settings = ContentSettings(root=root, exports=place / "exports", trusted_keys=place / "trusted")
    if trusts:
        settings.trusted.mkdir(parents=True, exist_ok=True)
        (settings.trusted / f"{KEY.public.id}.pem").write_bytes(KEY.public.pem)
    if not fresh and not root.exists():
        root.mkdir(parents=True)
        (root / "catalog.sqlite").write_bytes(_new_catalog(settings.organization))
    events: list[Event] = []
    with Workspace(settings, Actor("tester"), watch=events.append) as workspace:
        yield Server(root, workspace, events)
