#!/bin/sh
#name: Covers: a table
#description: Makes the table of covers, with an empty one for each book
#timeout: 10m
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
sql=/usr/lib/bookshelf/sql
if [ "$($sql "select count(*) from sqlite_schema where name = 'cover'")" != 0 ]; then
    echo "the table is there already"
    exit 0
fi
$sql "create table cover (book_id integer primary key, image blob)" \
    "insert into cover (book_id) select id from book" \
    "insert into change (name) values ('covers')"
