#!/bin/sh
#name: Available memory
#description: There is memory for the upgrade beside the services that run
#run: always
#timeout: 30s
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Refuses when available memory and free swap together are below ORCHESTRATOR_MEMORY_MIN_MIB (default 64)
# MiB, which can be set under `environment:` in orchestrator.yaml.
set -eu

min_mib=${ORCHESTRATOR_MEMORY_MIN_MIB:-64}
# The runner gives no arguments; another file tries the check on another host's numbers.
meminfo=${1:-/proc/meminfo}

if ! grep -q '^MemAvailable:' "$meminfo" 2>/dev/null; then
    echo "this kernel does not tell the available memory"
    exit 77
fi
kib_of() { awk -v key="$1:" '$1 == key { print $2; exit }' "$meminfo"; }

memory=$(($(kib_of MemAvailable) / 1024))
swap=$(kib_of SwapFree)
swap=$((${swap:-0} / 1024))
echo "$memory MiB of memory available, $swap MiB of swap free"
if [ "$((memory + swap))" -lt "$min_mib" ]; then
    echo "less than $min_mib MiB in all: stop what is not needed (or lower ORCHESTRATOR_MEMORY_MIN_MIB)" >&2
    exit 1
fi
