# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog: who owns which content, what of it was there when, and what of that is shown where.

    Organization
     +- Product              vendor (known by vendor id and content id) or custom (known by its label)
     |   +- Repository       deb, rpm or file; a mirror store below root/repositories/
     |       +- Snapshot     a generation of that store: an exact, numbered set of files that never changes
     +- View                 composes repositories, or other views
     |   +- ViewVersion      pins a snapshot of each of its repositories
     +- Environment          library, dev, prod ...: shows one version of each view that was promoted into it

Rows refer to what lies on the disk, never the other way round: a generation is pinned before the row that names
it is written, and let go after the row is gone. `model` has the values, `database` the connection, one module a
table group the functions on it; each function takes a `Session` and knows nothing of files.
"""
