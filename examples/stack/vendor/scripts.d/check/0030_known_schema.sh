#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: The database has a schema that can be upgraded
#description: Version 2 upgrades schema 1 and runs on schema 2. Does not apply while the database is down.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

if ! version=$("$PG_BIN/psql" -XAtq -c 'select version from schema_version'); then
    echo "the database cannot be asked now"
    exit 77
fi
case $version in
1 | 2) echo "schema $version" ;;
*)
    echo "the database has schema $version; this package upgrades schema 1"
    exit 1
    ;;
esac
