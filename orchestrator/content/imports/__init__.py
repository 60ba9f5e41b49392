# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports: what an export's media hold becomes snapshots of this server, each all or nothing.

Objects go from the medium into the pool, hashed on the way; nothing is unpacked aside and no medium is changed.
What an import that goes on needs to know is below root/imports/<export id>/: the manifest with its signature, the
inventories (which keep its objects from the garbage collection), and what has come of objects that were cut into
segments.
"""
