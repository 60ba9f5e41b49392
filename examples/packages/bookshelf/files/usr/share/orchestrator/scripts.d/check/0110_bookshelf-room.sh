#!/bin/sh
#name: Bookshelf: room for a second copy of the books
#description: The file system of the store has twice the size of its file free
#timeout: 30s
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
file=/var/lib/bookshelf/books.sqlite
if [ ! -e "$file" ]; then
    echo "there are no books yet"
    exit 77
fi
needed=$(($(stat -c %s "$file") / 512 + 1))
free=$(df -Pk "$file" | awk 'NR == 2 { print $4 }')
echo "$needed KiB needed, $free KiB free"
[ "$free" -ge "$needed" ]
