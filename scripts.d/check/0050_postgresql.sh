#!/bin/sh
#name: PostgreSQL answers
#description: The PostgreSQL servers that run on this host (or the one of PGHOST) accept connections
#run: always
#retry: 12 5s
#timeout: 2m
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Whether the services of orchestrator.yaml are ready is the runner's own business. This finds a server that
# hangs or still recovers before anything is stopped, also where no service speaks of it. Servers are known by
# their sockets in the usual places: one in a directory of somebody's own is not this host's. PGHOST and PGPORT,
# set under `environment:` in orchestrator.yaml, name one server instead, remote or by its socket's directory.
# A server that does not run is no reason to refuse.
set -eu

# pg_isready may lie beside the server only (and Debian's wrapper of it wants a configured cluster).
PATH=$(printf '%s:' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin)$PATH
if ! command -v pg_isready >/dev/null; then
    echo "there is no pg_isready on this host"
    exit 77
fi

# The socket of every listening server, like /run/postgresql/.s.PGSQL.5432.
# The runner gives no arguments; another file tries the check on another list of sockets.
sockets=${1:-/proc/net/unix}
listening() {
    if [ -r "$sockets" ]; then
        awk '{ print $NF }' "$sockets" | sort -u |
            grep -E '^(/run/postgresql|/var/run/postgresql|/tmp)/\.s\.PGSQL\.[0-9]+$'
    fi
}

status=0
ask() {
    answer=0
    pg_isready -t 10 -h "$1" -p "$2" || answer=$?
    case $answer in
        0) ;;
        # It is there and says "not now": it starts, recovers or shuts down.
        1) if [ "$status" = 0 ]; then status=75; fi ;;
        *) status=1 ;;
    esac
}

if [ -n "${PGHOST:-}" ]; then
    ask "$PGHOST" "${PGPORT:-5432}"
    exit "$status"
fi

found=0
for socket in $(listening); do
    [ -S "$socket" ] || continue # of another mount namespace: a container's server
    found=1
    ask "${socket%/*}" "${socket##*.}"
done
if [ "$found" = 0 ]; then
    echo "no PostgreSQL server listens in a usual place; PGHOST can name one"
    exit 77
fi
exit "$status"
