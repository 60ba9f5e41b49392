#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Announce the new version to all readers
#description: Writes the announcement that the mailer sends to every address it knows.
#timeout: 1m
#on-failure: continue
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

mkdir -p "$BOOKSHELF_HOME/outbox"
echo "To: readers; Bookshelf $ORCHESTRATOR_TO_VERSION is there" >"$BOOKSHELF_HOME/outbox/announcement"
