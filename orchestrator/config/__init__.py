# SPDX-License-Identifier: GPL-3.0-or-later
"""orchestrator.yaml, read once into frozen models; every error at once, each with its path."""
