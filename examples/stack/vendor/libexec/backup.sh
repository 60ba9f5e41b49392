#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Dump the database to $BOOKSHELF_HOME/dumps and keep the three newest dumps. Usage: backup.sh CONF
set -eu
# shellcheck source=/dev/null
. "$1"

umask 077
dump=$BOOKSHELF_HOME/dumps/bookshelf-$(date -u +%Y%m%dT%H%M%SZ).dump
"$PG_BIN/pg_dump" --format=custom --file="$dump.partial"
"$PG_BIN/pg_restore" --list "$dump.partial" >/dev/null
mv "$dump.partial" "$dump"
echo "wrote $dump"

set -- "$BOOKSHELF_HOME"/dumps/bookshelf-*.dump
while [ $# -gt 3 ]; do
    rm -- "$1"
    shift
done
