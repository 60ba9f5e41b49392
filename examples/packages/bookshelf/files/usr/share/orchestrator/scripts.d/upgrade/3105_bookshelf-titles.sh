#!/bin/sh
#name: Bookshelf: titles without blanks around them
#description: What the versions before 1.0 let in; a fresh installation never needs it
#timeout: 10m
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
/usr/lib/bookshelf/sql \
    "update book set title = trim(title) where title <> trim(title)" \
    "insert into change (name) values ('titles')"
