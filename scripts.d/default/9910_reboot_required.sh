#!/bin/sh
#name: Reboot required
#description: Reports whether the host must be rebooted for installed updates to take effect
#run: always
#on-failure: continue
#timeout: 1m
#estimate: 2s
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A report for the administrator, never a failure and never a reboot. Debian and Ubuntu leave a file; the
# RPM distributions have needs-restarting(1), which exits 1 when a reboot is needed.
set -eu

flag=/run/reboot-required
if [ -e "$flag" ]; then
    echo "warning: a reboot is required"
    if [ -r "$flag.pkgs" ]; then sort -u "$flag.pkgs" | sed 's/^/  because of /'; fi
elif command -v needs-restarting >/dev/null; then
    status=0
    timeout 40 needs-restarting -r >/dev/null 2>&1 || status=$?
    case $status in
        0) echo "no reboot is required" ;;
        1) echo "warning: a reboot is required; needs-restarting -r says why" ;;
        *)
            echo "needs-restarting could not tell (exit status $status)"
            exit 77
            ;;
    esac
elif [ -d /var/lib/dpkg ]; then
    echo "no package asked for a reboot"
else
    echo "this host does not tell whether it must be rebooted"
    exit 77
fi
