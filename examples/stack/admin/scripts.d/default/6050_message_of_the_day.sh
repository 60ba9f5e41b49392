#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Tell our own people
#description: The site's own step: the message of the day names the version.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

echo "Bookshelf $ORCHESTRATOR_TO_VERSION" >"$BOOKSHELF_HOME/motd.new"
mv "$BOOKSHELF_HOME/motd.new" "$BOOKSHELF_HOME/motd"
