#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Finish schema 2
#description: Drops the column book.author, which the table author replaces, and raises the schema version.
#timeout: 30m
#interrupt: unsafe
#risk: drops the column book.author; Bookshelf 1 cannot run on this database afterwards
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 --single-transaction -f - <<'SQL'
alter table book drop column if exists author;
update schema_version set version = 2 where version < 2;
SQL
