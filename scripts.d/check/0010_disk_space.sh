#!/bin/sh
#name: Disk space for the upgrade's own records
#description: The state and log directories have room for journals and the output of steps
#run: always
#timeout: 30s
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Refuses below ORCHESTRATOR_DISK_MIN_MIB (default 100) MiB or ORCHESTRATOR_DISK_MIN_INODES (default 1000)
# inodes; both can be set under `environment:` in orchestrator.yaml. What a migration itself needs is said
# by that migration (#min-disk:), not here.
set -eu

min_mib=${ORCHESTRATOR_DISK_MIN_MIB:-100}
min_inodes=${ORCHESTRATOR_DISK_MIN_INODES:-1000}
state_dir=${ORCHESTRATOR_STATE_DIR:-/var/lib/orchestrator}
log_dir=${ORCHESTRATOR_LOG_DIR:-/var/log/orchestrator}
refused=0

# What is free, from `df -P`: the field before the percentage. Empty where the file system does not count.
free_of() {
    df -P "$1" "$2" 2>/dev/null |
        awk 'NR == 2 { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+%$/) { print $(i - 1); exit } }'
}

# Both directories are made by the first run: before it, their nearest parent counts.
nearest_existing() {
    directory=$1
    while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
    echo "$directory"
}

check_directory() {
    where=$(nearest_existing "$1")
    kib=$(free_of -k "$where")
    inodes=$(free_of -i "$where")
    if [ -z "$kib" ]; then
        echo "$1: the file system does not tell its free space"
        return
    fi
    echo "$1: $((kib / 1024)) MiB${inodes:+ and $inodes inodes} free"
    if [ "$((kib / 1024))" -lt "$min_mib" ]; then
        echo "$1: less than $min_mib MiB are free; make room (or lower ORCHESTRATOR_DISK_MIN_MIB)" >&2
        refused=1
    fi
    if [ -n "$inodes" ] && [ "$inodes" -lt "$min_inodes" ]; then
        echo "$1: less than $min_inodes inodes are free; remove files (or lower ORCHESTRATOR_DISK_MIN_INODES)" >&2
        refused=1
    fi
}

check_directory "$state_dir"
check_directory "$log_dir"
exit "$refused"
