# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: phases, steps, plan (pure), run loop, journal, history."""
