# SPDX-License-Identifier: GPL-3.0-or-later
"""The request for what is missing of an import: a file that its sender satisfies."""

from typing import TYPE_CHECKING

from orchestrator.content.exports.requests import MissingObjects, to_file
from orchestrator.content.imports.listing import missing_objects
from orchestrator.content.imports.state import ImportState
from orchestrator.content.signing import server_key

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace


def request_file(workspace: "Workspace", export: str) -> bytes | None:
    """Sealed with this server's key; None when nothing is missing of the import of that export."""
    found = ImportState(workspace.root, export).export_found()
    absent = missing_objects(workspace, export)
    if found is None or not absent:
        return None
    asked = MissingObjects(export, found.manifest.subject.organization, absent)
    return to_file(asked, server_key(workspace.settings.key_file))
