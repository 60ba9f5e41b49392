# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images keep what every pair of a writer and a reader promises."""

from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.imports.iso_reader import IsoReader
from tests.support.medium_conformance import Medium, MediumConformance


class TestIso(MediumConformance):
    medium = Medium("iso", IsoWriter, IsoReader)
