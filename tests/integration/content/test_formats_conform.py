# SPDX-License-Identifier: GPL-3.0-or-later
"""Both repository formats keep what the protocol promises."""

from tests.support.format_conformance import FormatConformance
from tests.support.format_upstreams import DebUpstream, RpmUpstream


class TestDeb(FormatConformance):
    make = DebUpstream


class TestRpm(FormatConformance):
    make = RpmUpstream
