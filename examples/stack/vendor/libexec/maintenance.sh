#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Turn readers away, or let them in again; both are safe to repeat. Usage: maintenance.sh CONF enter|leave
set -eu
# shellcheck source=/dev/null
. "$1"

case $2 in
enter) touch "$BOOKSHELF_HOME/maintenance" ;;
leave) rm -f "$BOOKSHELF_HOME/maintenance" ;;
*)
    echo "maintenance.sh: enter or leave, not $2" >&2
    exit 2
    ;;
esac
