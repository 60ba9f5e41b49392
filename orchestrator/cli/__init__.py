# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: one file a command group (parse, one call, render), and the views they render with."""

import gc

# Imports make some fifty thousand objects and no garbage; looking for some at every 700th costs a tenth of a start.
gc.set_threshold(100_000)
