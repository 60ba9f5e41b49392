# SPDX-License-Identifier: GPL-3.0-or-later
"""The content engine as a library: read, search and resolve deb and rpm repositories, mirror them, create them.

    from orchestrator import content

    mirrors = content.load_mirrors(Path("mirrors.yaml"))
    with content.Engine(mirrors) as engine:
        for package in content.search(engine, ["ubuntu"], content.Query(name="nginx*")):
            print(package)
        outcomes = content.clone(engine, mirrors.sources, ["ubuntu"], content.Wish())

and the content server: the catalog brought to a declared state, syncs, versions of views, exports, imports.

    with content.Workspace(content.read_settings(None), content.Actor("deploy", "script")) as workspace:
        content.sync(workspace, "acme", "tools/base")
        content.publish(workspace, "acme", "web")
        content.export(workspace, content.ExportRequest(subject_kind="view", names=("web",)))

The commands use nothing else. Names are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.content.catalog.model import Actor
    from orchestrator.content.creation import create_from_files, create_from_upstream
    from orchestrator.content.declaration.applying import apply, changes_to
    from orchestrator.content.declaration.file import load_declaration
    from orchestrator.content.engine import Engine
    from orchestrator.content.events import Event, Watcher
    from orchestrator.content.exports.checking import verify as verify_export
    from orchestrator.content.exports.outcome import ExportOutcome
    from orchestrator.content.exports.pruning import prune as prune_exports
    from orchestrator.content.exports.request import ExportRequest
    from orchestrator.content.exports.running import export, export_again
    from orchestrator.content.exports.wish import Wish as ExportWish
    from orchestrator.content.imports.deciding import Wish as ImportWish
    from orchestrator.content.imports.opening import open_media
    from orchestrator.content.imports.outcome import ImportOutcome
    from orchestrator.content.imports.plan import plan as plan_import
    from orchestrator.content.imports.receipt import receipt, receipt_file
    from orchestrator.content.imports.requesting import request_file
    from orchestrator.content.imports.running import run as run_import
    from orchestrator.content.inspection import closure, search, unresolved, why
    from orchestrator.content.mirror import Wish, clone
    from orchestrator.content.mirrors_file import find_mirrors, load_mirrors
    from orchestrator.content.model import Closure, ClosureOptions, Details, Package, Query, Unresolved
    from orchestrator.content.outcome import Outcome, Status, exit_code_of
    from orchestrator.content.overriding import set_source
    from orchestrator.content.publication.record import record_to_json
    from orchestrator.content.settings import ContentSettings, ExportRules, read_settings
    from orchestrator.content.showing import Shown, hide
    from orchestrator.content.signing import Trusted as TrustedKeys
    from orchestrator.content.signing import server_key
    from orchestrator.content.source import Common, Filter, Mirrors, Source
    from orchestrator.content.syncing import Synced, sync, sync_each
    from orchestrator.content.upkeep import client_config, mirrors, names_of, prune, rollback, verify
    from orchestrator.content.views import promote, publish
    from orchestrator.content.workspace import Workspace

_HOMES = {
    "catalog.model": ("Actor",),
    "creation": ("create_from_files", "create_from_upstream"),
    "declaration.applying": ("apply", "changes_to"),
    "declaration.file": ("load_declaration",),
    "engine": ("Engine",),
    "events": ("Event", "Watcher"),
    "exports.outcome": ("ExportOutcome",),
    "exports.request": ("ExportRequest",),
    "exports.running": ("export", "export_again"),
    "imports.opening": ("open_media",),
    "imports.outcome": ("ImportOutcome",),
    "imports.receipt": ("receipt", "receipt_file"),
    "imports.requesting": ("request_file",),
    "inspection": ("closure", "search", "unresolved", "why"),
    "mirror": ("Wish", "clone"),
    "mirrors_file": ("find_mirrors", "load_mirrors"),
    "model": ("Closure", "ClosureOptions", "Details", "Package", "Query", "Unresolved"),
    "outcome": ("Outcome", "Status", "exit_code_of"),
    "overriding": ("set_source",),
    "publication.record": ("record_to_json",),
    "settings": ("ContentSettings", "ExportRules", "read_settings"),
    "showing": ("Shown", "hide"),
    "signing": ("server_key",),
    "source": ("Common", "Filter", "Mirrors", "Source"),
    "syncing": ("Synced", "sync", "sync_each"),
    "upkeep": ("client_config", "mirrors", "names_of", "prune", "rollback", "verify"),
    "views": ("promote", "publish"),
    "workspace": ("Workspace",),
}
# Ours: their home, and what they are called there.
_CALLED = {
    "ExportWish": ("exports.wish", "Wish"),
    "ImportWish": ("imports.deciding", "Wish"),
    "TrustedKeys": ("signing", "Trusted"),
    "plan_import": ("imports.plan", "plan"),
    "prune_exports": ("exports.pruning", "prune"),
    "run_import": ("imports.running", "run"),
    "verify_export": ("exports.checking", "verify"),
}
_HOME_OF = {name: (module, name) for module, names in _HOMES.items() for name in names} | _CALLED

__all__ = [
    "Actor",
    "Closure",
    "ClosureOptions",
    "Common",
    "ContentSettings",
    "Details",
    "Engine",
    "Event",
    "ExportOutcome",
    "ExportRequest",
    "ExportRules",
    "ExportWish",
    "Filter",
    "ImportOutcome",
    "ImportWish",
    "Mirrors",
    "Outcome",
    "Package",
    "Query",
    "Shown",
    "Source",
    "Status",
    "Synced",
    "TrustedKeys",
    "Unresolved",
    "Watcher",
    "Wish",
    "Workspace",
    "apply",
    "changes_to",
    "client_config",
    "clone",
    "closure",
    "create_from_files",
    "create_from_upstream",
    "exit_code_of",
    "export",
    "export_again",
    "find_mirrors",
    "hide",
    "load_declaration",
    "load_mirrors",
    "mirrors",
    "names_of",
    "open_media",
    "plan_import",
    "promote",
    "prune",
    "prune_exports",
    "publish",
    "read_settings",
    "receipt",
    "receipt_file",
    "record_to_json",
    "request_file",
    "rollback",
    "run_import",
    "search",
    "server_key",
    "set_source",
    "sync",
    "sync_each",
    "unresolved",
    "verify",
    "verify_export",
    "why",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(name)
    module, called = _HOME_OF[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), called)
