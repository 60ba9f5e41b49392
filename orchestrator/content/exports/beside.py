# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files beside the chunks of an export: README.txt, SHA256SUMS of the chunks, signature, manifest. Pure.

They are for people and for an import from a directory; each chunk has all that it needs in itself. The manifest is
the last: where it is, the rest is, too.
"""

from collections.abc import Mapping

from orchestrator.content.exports.manifest import MANIFEST, README, SIGNATURE, SUMS
from orchestrator.content.exports.media import SmallFile
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.planning import ExportPlan
from orchestrator.content.exports.unfinished import Done

_TOOLS = {
    "tar": "  tar -tf {file}                  lists a chunk; tar -xOf {file} README.txt says more",
    "tgz": "  tar -tzf {file}                 lists a chunk; tar -xzOf {file} README.txt says more",
    "iso": "  mount -o ro,loop {file} /mnt    shows a chunk; /mnt/README.txt says more",
}


def of_chunks(plan: ExportPlan, done: Mapping[str, Done]) -> tuple[SmallFile, ...]:
    """In the order in which they are to be written."""
    return (
        SmallFile(README, _readme(plan).encode()),
        SmallFile(SUMS, _sums(plan, done)),
        SmallFile(SIGNATURE, plan.signature),
        SmallFile(MANIFEST, plan.manifest_bytes),
    )


def _sums(plan: ExportPlan, done: Mapping[str, Done]) -> bytes:
    return "".join(f"{done[each.file_name].sha256}  {each.file_name}\n" for each in plan.chunks).encode()


def _readme(plan: ExportPlan) -> str:
    manifest, first = plan.manifest, plan.chunks[0].file_name
    what = "a complete export" if manifest.kind == "complete" else "an increment"
    lines = [
        f"{subject_text(manifest.subject)} of {manifest.subject.organization}: {what}",
        f"id {manifest.id}, of {manifest.created}, signed with the key {manifest.signer}",
        "",
        f"{len(plan.chunks)} chunk(s), each whole in itself:",
        *(f"  {each.file_name}" for each in plan.chunks),
        "",
        "With the usual tools:",
        "  sha256sum -c SHA256SUMS         says whether all chunks arrived as they were made",
        _TOOLS[manifest.format].format(file=first),
        "",
        "Into a content server: orchestrator import run DIRECTORY-OR-CHUNKS (in any order)",
    ]
    return "\n".join([*lines, ""])
