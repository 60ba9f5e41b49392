# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports: content of this server as a signed manifest and what it describes, for a server without a network.

A medium (one chunk: a tar, a tgz, an ISO image) holds, in this order:

    manifest.json manifest.sig      the whole export, and the Ed25519 signature of those bytes
    README.txt                      how to read it with sh, tar and sha256sum alone
    inventories/<sha256>            of each snapshot in it: the list of its files
    chunks/<nnnn>.index             of every chunk: the objects in it
    SHA256SUMS                      of this medium's files
    objects/<aa>/<sha256>           the objects of this chunk; <sha256>.<start> is a segment of one that is larger
                                    than the medium

In the `dir` format the same small files (without chunks/) stand beside content/..., where each snapshot is a tree
that clients can use. The index names its chunk's bytes, the manifest the digests of indexes and inventories, the
signature the manifest: whatever lies outside of that is not believed. All of it but the bytes of the objects is
known before the first is written, and equal input gives equal bytes.
"""
