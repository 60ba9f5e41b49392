# SPDX-License-Identifier: GPL-3.0-or-later
"""Which writer makes the media of which format. Each is loaded when it is asked for."""

from orchestrator.content.exports.manifest import ExportFormat
from orchestrator.content.exports.media import MediumWriter
from orchestrator.errors import Invalid


def writer_of(format_: ExportFormat) -> MediumWriter:
    """Raises Invalid for `dir`, which has no media."""
    match format_:
        case "tar":
            from orchestrator.content.exports.tar import TarWriter

            return TarWriter()
        case "tgz":
            from orchestrator.content.exports.tgz import TgzWriter

            return TgzWriter()
        case "iso":
            from orchestrator.content.exports.iso_writer import IsoWriter

            return IsoWriter()
    raise Invalid(f"an export of the format {format_} has no media")
