#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Rotate the services' logs
#description: While the services are down nobody has their logs open. Keeps one older generation.
#timeout: 1m
set -eu
# shellcheck source=/dev/null
. "$BOOKSHELF_CONF"

for log in "$BOOKSHELF_HOME"/log/*.log; do
    if [ -s "$log" ]; then
        mv "$log" "$log.1"
        echo "rotated $log"
    fi
done
