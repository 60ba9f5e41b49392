#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: The dump directory is writable
#description: The backup before the upgrade goes there.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

if ! [ -d "$BOOKSHELF_HOME/dumps" ] || ! [ -w "$BOOKSHELF_HOME/dumps" ]; then
    echo "$BOOKSHELF_HOME/dumps is no directory that $(id -un) can write to"
    exit 1
fi
