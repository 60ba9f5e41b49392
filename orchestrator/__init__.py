# SPDX-License-Identifier: GPL-3.0-or-later
"""Orchestrator: upgrades a multi-service server by numbered scripts in service-state phases."""

__version__ = "0.1.0"
