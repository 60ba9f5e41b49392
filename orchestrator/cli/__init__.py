# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: one file a command group (parse, one call, render), and the views they render with."""
