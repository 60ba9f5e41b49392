#!/bin/sh
#name: No package transaction
#description: Nobody else is installing packages now (dpkg, apt, rpm, dnf, zypper, apk)
#run: always
#retry: 6 10s
#timeout: 30s
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Looks at the locks that package managers hold while they change the system, and takes none. A transaction
# that this upgrade is part of (it was started by a package's script) is fine: the holder is then one of our
# own ancestors. Nightly jobs end by themselves, therefore status 75 and a minute of patience.
set -eu

# The runner gives no arguments; another lock file tries the check on that.
if [ $# = 0 ]; then
    set -- /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/rpm/.rpm.lock \
        /usr/lib/sysimage/rpm/.rpm.lock /lib/apk/db/lock
fi

if [ ! -r /proc/locks ]; then
    echo "this host does not tell who holds locks"
    exit 77
fi

ancestors=" $$ "
parent=$$
while parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$parent/status" 2>/dev/null) && [ "${parent:-0}" -gt 1 ]; do
    ancestors="$ancestors$parent "
done

# Processes with a write lock on any file whose inode number is $1. Inode numbers are unique only within a
# file system, and /proc/locks does not name it as stat does (btrfs, overlayfs): has_open asks for certain.
writers_of_inode() {
    awk -v inode="$1" '$2 != "->" && $4 == "WRITE" { n = split($6, id, ":"); if (id[n] == inode) print $5 }' \
        /proc/locks
}

has_open() {
    [ -r "/proc/$1/fd" ] || return 0 # not ours to see: believe the inode number
    for descriptor in "/proc/$1/fd/"*; do
        if [ "$(readlink "$descriptor")" = "$2" ]; then return 0; fi
    done
    return 1
}

busy=0
for lock in "$@"; do
    [ -e "$lock" ] || continue
    file=$(readlink -f "$lock")
    for holder in $(writers_of_inode "$(stat -c %i "$file")"); do
        case $ancestors in *" $holder "*) continue ;; esac
        if [ -d "/proc/$holder" ] && has_open "$holder" "$file"; then
            name=$(cat "/proc/$holder/comm" 2>/dev/null || echo '?')
            echo "$name (process $holder) holds $lock: a package transaction is in progress" >&2
            busy=75
        fi
    done
done
if [ "$busy" = 0 ]; then echo "no package transaction in progress"; fi
exit "$busy"
