# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats there are, by the `type` of a source; loaded when they are used."""

from orchestrator.content.formats import Format


def format_of(type_: str) -> Format:
    if type_ == "deb":
        from orchestrator.content.formats.deb.driver import DebFormat

        return DebFormat()
    if type_ == "file":
        from orchestrator.content.formats.file.driver import FileFormat

        return FileFormat()
    from orchestrator.content.formats.rpm.driver import RpmFormat

    return RpmFormat()
