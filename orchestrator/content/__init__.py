# SPDX-License-Identifier: GPL-3.0-or-later
"""The content engine as a library: read, search and resolve deb and rpm repositories, mirror them, create them.

    from orchestrator import content

    mirrors = content.load_mirrors(Path("mirrors.yaml"))
    with content.Engine(mirrors) as engine:
        for package in content.search(engine, ["ubuntu"], content.Query(name="nginx*")):
            print(package)
        outcomes = content.clone(engine, mirrors.sources, ["ubuntu"], content.Wish())

The commands of `orchestrator mirror` use nothing else. Names are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.content.creation import create_from_files, create_from_upstream
    from orchestrator.content.engine import Engine
    from orchestrator.content.events import Event, Watcher
    from orchestrator.content.inspection import closure, search, unresolved, why
    from orchestrator.content.mirror import Wish, clone
    from orchestrator.content.mirrors_file import find_mirrors, load_mirrors
    from orchestrator.content.model import Closure, ClosureOptions, Details, Package, Query, Unresolved
    from orchestrator.content.outcome import Outcome, Status, exit_code_of
    from orchestrator.content.publication.record import record_to_json
    from orchestrator.content.source import Common, Filter, Mirrors, Source
    from orchestrator.content.upkeep import client_config, mirrors, names_of, prune, rollback, verify

_HOMES = {
    "creation": ("create_from_files", "create_from_upstream"),
    "engine": ("Engine",),
    "events": ("Event", "Watcher"),
    "inspection": ("closure", "search", "unresolved", "why"),
    "mirror": ("Wish", "clone"),
    "mirrors_file": ("find_mirrors", "load_mirrors"),
    "model": ("Closure", "ClosureOptions", "Details", "Package", "Query", "Unresolved"),
    "outcome": ("Outcome", "Status", "exit_code_of"),
    "publication.record": ("record_to_json",),
    "source": ("Common", "Filter", "Mirrors", "Source"),
    "upkeep": ("client_config", "mirrors", "names_of", "prune", "rollback", "verify"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Closure",
    "ClosureOptions",
    "Common",
    "Details",
    "Engine",
    "Event",
    "Filter",
    "Mirrors",
    "Outcome",
    "Package",
    "Query",
    "Source",
    "Status",
    "Unresolved",
    "Watcher",
    "Wish",
    "client_config",
    "clone",
    "closure",
    "create_from_files",
    "create_from_upstream",
    "exit_code_of",
    "find_mirrors",
    "load_mirrors",
    "mirrors",
    "names_of",
    "prune",
    "record_to_json",
    "rollback",
    "search",
    "unresolved",
    "verify",
    "why",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
