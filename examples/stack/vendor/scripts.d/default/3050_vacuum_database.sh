#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Rewrite the tables and renew the statistics
#description: Gives the room of old rows back to the disk; takes long on a large database.
#timeout: 2h
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 -c "vacuum (full, analyze)"
