# SPDX-License-Identifier: GPL-3.0-or-later
"""Side effects, each with one home: files, processes, sockets, the clock, facts of the host."""
