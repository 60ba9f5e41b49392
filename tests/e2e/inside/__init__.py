# SPDX-License-Identifier: GPL-3.0-or-later
"""Test modules that run inside a throw-away systemd host; a module of `tests/e2e` sends them there."""
