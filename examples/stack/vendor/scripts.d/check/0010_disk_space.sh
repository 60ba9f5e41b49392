#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Room for two copies of the database
#description: The migrations rewrite the largest table, and the backup needs room as well.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

needed=$(du -sk "$BOOKSHELF_HOME/postgresql/data" | awk '{print 2 * $1}')
free=$(df -Pk "$BOOKSHELF_HOME" | awk 'NR == 2 {print $4}')
if [ "$free" -lt "$needed" ]; then
    echo "$BOOKSHELF_HOME has $free KiB free, two copies of the database need $needed KiB"
    exit 1
fi
echo "$free KiB free, $needed KiB needed"
