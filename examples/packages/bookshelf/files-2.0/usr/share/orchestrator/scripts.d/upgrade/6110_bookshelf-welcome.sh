#!/bin/sh
#name: Bookshelf: a guide to the new version
#description: Adds the guide to version 2 to the books, through the application
#timeout: 5m
#retry: 3 2s
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
exec python3 - <<'PYTHON'
import json, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
books = "http://127.0.0.1:8070/books"
guide = {"title": "What is new in Bookshelf 2", "author": "Bookshelf"}
if guide["title"] in (title for title, _ in json.load(opener.open(books, timeout=20))):
    print("the guide is there already")
else:
    opener.open(books, json.dumps(guide).encode(), timeout=20)
    print("the guide is there now")
PYTHON
