# SPDX-License-Identifier: GPL-3.0-or-later
"""The writers and readers of media that are archives."""

from orchestrator.content.exports.tar import TarWriter
from orchestrator.content.exports.tgz import TgzWriter
from orchestrator.content.imports.tar_reader import TarReader, TgzReader
from tests.support.medium_conformance import HugeObjects, Medium, MediumConformance


class TestTar(HugeObjects, MediumConformance):
    medium = Medium("tar", TarWriter, TarReader)


class TestTgz(MediumConformance):
    medium = Medium("tgz", TgzWriter, TgzReader, exact=False)
