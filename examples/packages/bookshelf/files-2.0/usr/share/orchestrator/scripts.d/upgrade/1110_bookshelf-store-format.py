#!/usr/bin/python3
#name: Bookshelf: store in format 2
#description: Rewrites the store's file so that it shrinks by itself; nothing may have it open meanwhile
#timeout: 1h
#
# SPDX-License-Identifier: GPL-3.0-or-later
import sqlite3
import sys
from pathlib import Path

FILE = Path("/var/lib/bookshelf/books.sqlite")

if not FILE.exists():
    print("there are no books yet")
    sys.exit(77)
database = sqlite3.connect(FILE, isolation_level=None)
if database.execute("PRAGMA user_version").fetchone()[0] >= 2:
    print("it has format 2 already")
    sys.exit(0)
# SQLite makes a copy beside the file, and puts it in place in one transaction.
database.execute("PRAGMA auto_vacuum = FULL")
database.execute("VACUUM")
database.execute("BEGIN IMMEDIATE")
database.execute("insert into change (name) values ('store-format')")
database.execute("PRAGMA user_version = 2")
database.execute("COMMIT")
print("it has format 2 now")
