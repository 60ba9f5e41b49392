#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Give every book a shelf mark
#description: Decade, first letters of the author's name, number: 198-LEM-00042.
#timeout: 30m
#estimate: 1s
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 --single-transaction -f - <<'SQL'
alter table book add column if not exists shelf_mark text;
update book
    set shelf_mark = concat_ws('-', year / 10, upper(left(regexp_replace(name, '^.* ', ''), 3)), lpad(book.id::text, 5, '0'))
    from author where author.id = book.author_id and shelf_mark is null;
create unique index if not exists book_shelf_mark on book (shelf_mark);
SQL
