#!/bin/sh
#name: Covers: what is missing
#description: Counts the books that have no cover
#timeout: 1m
#on-failure: continue
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
count=$(/usr/lib/bookshelf/sql "select count(*) from book left join cover on book_id = id where image is null")
echo "$count books have no cover"
