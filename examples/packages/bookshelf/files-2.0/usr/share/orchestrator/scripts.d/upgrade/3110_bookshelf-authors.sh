#!/bin/sh
#name: Bookshelf: authors in a table of their own
#description: Schema 2: each author once, books refer to them
#timeout: 1h
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
sql=/usr/lib/bookshelf/sql
if [ "$($sql "select value from setting where name = 'schema'")" != 1 ]; then
    echo "schema 2 is there already"
    exit 0
fi
# One transaction: the data has one schema or the other, whenever the power goes.
$sql "create table author (id integer primary key, name text not null unique)" \
    "insert into author (name) select distinct author from book" \
    "alter table book add column author_id integer references author" \
    "update book set author_id = (select author.id from author where name = author)" \
    "alter table book drop column author" \
    "update setting set value = '2' where name = 'schema'" \
    "insert into change (name) values ('authors')"
echo "$($sql "select count(*) from author") authors"
