# SPDX-License-Identifier: GPL-3.0-or-later
"""All repository formats keep what the protocol promises."""

from tests.support.format_conformance import FormatConformance, PackageFormatConformance
from tests.support.format_upstreams import DebUpstream, FileUpstream, RpmUpstream


class TestDeb(PackageFormatConformance):
    make = DebUpstream


class TestRpm(PackageFormatConformance):
    make = RpmUpstream


class TestFile(FormatConformance):
    make = FileUpstream
