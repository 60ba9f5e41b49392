#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Load the texts of the pages
#description: Replaces the table page_text by the texts of this version.
#run: on-change
#inputs: @BOOKSHELF@/current/texts.tsv
#timeout: 5m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

"$PG_BIN/psql" -X -v ON_ERROR_STOP=1 --single-transaction \
    -c "delete from page_text" \
    -c "\copy page_text from pstdin" <"$BOOKSHELF_HOME/current/texts.tsv"
