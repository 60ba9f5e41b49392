# SPDX-License-Identifier: GPL-3.0-or-later
"""What support needs to see of a run and its host, in one file, without its secrets."""
