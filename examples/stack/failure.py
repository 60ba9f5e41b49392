# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's only error."""


class Failed(Exception):
    """The demo cannot go on; the message says what failed and what helps."""
