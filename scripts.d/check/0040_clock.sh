#!/bin/sh
#name: The clock
#description: Warns when the clock is not synchronised, or is behind the last upgrade
#run: always
#timeout: 30s
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Only warns: an upgrade itself does not depend on the time of day, but certificates, tokens and the reading
# of logs afterwards do.
set -eu

history=${ORCHESTRATOR_STATE_DIR:-/var/lib/orchestrator}/upgrade-history
known=0

if [ -e "$history" ]; then
    known=1
    behind=$(($(stat -c %Y "$history") - $(date +%s)))
    if [ "$behind" -gt 300 ]; then
        echo "warning: the clock is $behind s behind the last upgrade's record ($history); was it set back?"
    fi
fi

# `yes`, `no`, or nothing where nobody knows (containers, hosts without timedatectl and chrony).
synchronised() {
    answer=
    if command -v timedatectl >/dev/null; then
        answer=$(timeout 10 timedatectl show --property=NTPSynchronized --value 2>/dev/null) || answer=
    fi
    if [ -z "$answer" ] && command -v chronyc >/dev/null; then
        case $(timeout 10 chronyc -n tracking 2>/dev/null | grep '^Leap status') in
            *Normal*) answer=yes ;;
            *Not*) answer=no ;;
        esac
    fi
    echo "$answer"
}

case $(synchronised) in
    yes) echo "the clock is synchronised" ;;
    no) echo "warning: the clock is not synchronised; see timedatectl status" ;;
    *)
        echo "this host does not tell whether its clock is synchronised"
        if [ "$known" = 0 ]; then exit 77; fi
        ;;
esac
