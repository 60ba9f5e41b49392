# SPDX-License-Identifier: GPL-3.0-or-later
"""README.txt: how to read a medium with sh and sha256sum alone. Pure."""

from orchestrator.content.exports.manifest import Manifest


def of_chunk(manifest: Manifest, number: int) -> str:
    return f"{manifest.id} {number}\n"


def of_directory(manifest: Manifest) -> str:
    return f"{manifest.id}\n"
