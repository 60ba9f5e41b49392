#!/bin/sh
#name: Bookshelf: smoke test
#description: Asks the application for the books, as a reader would
#timeout: 1m
#retry: 2 1s
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
exec python3 - <<'PYTHON'
import json, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(len(json.load(opener.open("http://127.0.0.1:8070/books", timeout=20))), "books are served")
PYTHON
