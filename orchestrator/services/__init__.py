# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner can stop, start and probe: managers and readiness probes behind two small protocols."""
