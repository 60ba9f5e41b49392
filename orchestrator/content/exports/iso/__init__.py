# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO 9660 (level 3) with Rock Ridge and Joliet, by ECMA-119, SUSP/RRIP 1.10 and the Joliet specification.

    sectors   0-15     nothing
    sector    16       the primary volume descriptor; 17 Joliet's, 18 the end of them
    then               four path tables: primary in both byte orders, Joliet in both
    then               the primary directories, each followed by what of its Rock Ridge fields did not fit
    then               Joliet's directories
    then               the files, in the order of the chunk
    at the end         150 sectors of nothing, which drives may read ahead into

All places follow from names and sizes alone, so that an image is written in one pass. A directory is made again when
it is written and not kept: what is in memory of a file is where it begins, and to which directory it belongs.
"""
