# SPDX-License-Identifier: GPL-3.0-or-later
"""What every use case of the content server works with: its settings, catalog and engine, who asks, who listens.

The functions of `syncing`, `views`, `exports`, `imports` take a `Workspace` and plain values, return outcomes as
data, and tell what happens as events: a command, a phase step and a server stand on the same functions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.content.catalog.model import DEFAULT_VIEW, LIBRARY, Actor, Repository
from orchestrator.content.events import Event, Name, Watcher, nobody
from orchestrator.content.generations import MirrorStore
from orchestrator.content.inventories import Inventories
from orchestrator.content.pool import Pool
from orchestrator.content.settings import ContentSettings
from orchestrator.content.source import Common, Mirrors, Source
from orchestrator.errors import Interrupted, Refused

if TYPE_CHECKING:
    from orchestrator.content.catalog.database import Catalog
    from orchestrator.content.engine import Engine


class Workspace:
    """One content server, opened by `actor`. Nothing is opened, or made, before it is used.

    `watch` is told everything that happens; `stop` is asked often whether to end early. A context manager.
    """

    def __init__(
        self,
        settings: ContentSettings,
        actor: Actor,
        *,
        watch: Watcher = nobody,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.settings, self.actor = settings, actor
        self._watch, self._stop = watch, stop

    @property
    def root(self) -> Path:
        return self.settings.root

    @cached_property
    def catalog(self) -> "Catalog":
        """Brought to the newest form when it is first used. Raises Refused when it cannot be reached, or a newer
        version of the program made it."""
        from orchestrator.content.catalog.database import open_catalog

        return open_catalog(self.settings.url, self.settings.organization)

    @cached_property
    def pool(self) -> Pool:
        return Pool(self.root)

    @cached_property
    def inventories(self) -> Inventories:
        return Inventories(self.root)

    @cached_property
    def common(self) -> Common:
        """How syncs transfer: the `common` part of mirrors.yaml, where there is one."""
        if self.settings.mirrors is None:
            return Common(destination=self.root)
        from orchestrator.content.mirrors_file import load_mirrors

        return replace(load_mirrors(self.settings.mirrors).common, destination=self.root)

    def store(self, repository: Repository) -> MirrorStore:
        return MirrorStore(self.pool, repository.store, self.place(repository))

    def place(self, repository: Repository) -> Path:
        """The link to the newest snapshot of a repository: the default view of the library. A mirror keeps its own
        link, which the view's leads to."""
        if repository.mirror:
            return self.root / "published" / repository.mirror
        return (
            self.shown(repository.organization, LIBRARY, DEFAULT_VIEW) / repository.product / repository.label
        )

    def shown(self, organization: str, environment: str, view: str) -> Path:
        """Where clients find a view. Raises Refused when a mirror of the organization's name is published there: what
        is put below would be put into the mirror."""
        place = self.root / "published" / organization
        if place.is_symlink():
            raise Refused(
                f"{place} is a mirror, and the organization {organization} has no place to show anything",
                hint=f"give the mirror another name in mirrors.yaml, clone it anew, and remove the old one: rm {place}",
            )
        return place / environment / view

    def engine(self, sources: Iterable[Source], repositories: Sequence[Repository] = ()) -> "Engine":
        """An engine for these sources, which publishes `repositories` where the catalog has them. A context
        manager."""
        from orchestrator.content.engine import Engine

        mirrors = Mirrors(self.root / "catalog", self.common, tuple(sources))
        places = {each.store: self.place(each) for each in repositories}
        names = {each.store: each.path for each in repositories}

        def watch(event: Event) -> None:
            """In the words of the catalog."""
            name = names.get(event.source, event.source)
            fields = event.fields | {"source": name} if "source" in event.fields else event.fields
            self._watch(Event(event.name, name, fields))

        return Engine(mirrors, watch=watch, stop=self._stop, places=places)

    def tell(self, name: Name, subject: str, **fields: Any) -> None:
        self._watch(Event(name, subject, fields))

    def check_stop(self) -> None:
        """Raises Interrupted when somebody asked to stop."""
        if self._stop():
            raise Interrupted("stopped on request: what is done is kept; the same command goes on")

    def close(self) -> None:
        if "catalog" in self.__dict__:
            self.catalog.close()
            del self.__dict__["catalog"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
