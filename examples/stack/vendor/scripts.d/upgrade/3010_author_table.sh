#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Give authors a table of their own
#description: Fills the table author from the names in book, and points every book to its author.
#timeout: 30m
#retry: 2 2s
#estimate: 1s
#min-disk: @BOOKSHELF@/postgresql 100M
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 --single-transaction -f - <<'SQL'
select version >= 2 as upgraded from schema_version \gset
\if :upgraded
    \echo the database has schema 2 already
    \quit
\endif
create table if not exists author (id serial primary key, name text not null unique);
insert into author (name)
    select distinct author from book where author is not null order by author
    on conflict do nothing;
alter table book add column if not exists author_id integer references author;
update book set author_id = author.id
    from author where author.name = book.author and book.author_id is distinct from author.id;
alter table book alter column author_id set not null;
SQL
