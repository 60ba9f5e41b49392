#!/bin/sh
#name: Failed systemd units
#description: Reports units that are in the failed state after the upgrade
#run: always
#on-failure: continue
#timeout: 1m
#estimate: 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A report for the administrator, never a failure: the units need not have anything to do with the upgrade.
set -eu

if [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null; then
    echo "this host is not run by systemd"
    exit 77
fi
if ! failed=$(timeout 20 systemctl list-units --state=failed --no-legend --plain --no-pager 2>&1); then
    echo "systemd cannot be asked: $failed"
    exit 77
fi
if [ -z "$failed" ]; then
    echo "no failed units"
else
    echo "warning: failed units:"
    echo "$failed"
fi
