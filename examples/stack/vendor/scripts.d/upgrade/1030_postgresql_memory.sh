#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: More memory for PostgreSQL
#description: Version 2 sorts larger results. The setting needs a restart, so it is made while PostgreSQL is down.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

data=$BOOKSHELF_HOME/postgresql/data
printf '%s\n' "# written by Bookshelf 2" "shared_buffers = 64MB" "work_mem = 8MB" >"$data/bookshelf.conf.new"
mv "$data/bookshelf.conf.new" "$data/bookshelf.conf"
grep -q "^include_if_exists = 'bookshelf.conf'" "$data/postgresql.conf" ||
    echo "include_if_exists = 'bookshelf.conf'" >>"$data/postgresql.conf"
