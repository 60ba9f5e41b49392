#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Renew the statistics
#description: Instead of the vendor's full vacuum, which would keep our large database closed for an hour.
#timeout: 10m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 -c "analyze"
