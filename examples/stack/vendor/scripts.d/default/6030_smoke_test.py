#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Ask the application as a reader would
#description: The front page, and one search that must find something.
#apply: standalone
#timeout: 1m
#retry: 3 1s
import json
import os
import sys
from typing import Any
from urllib.request import Request, urlopen


def get(path: str) -> Any:
    request = Request(os.environ["BOOKSHELF_URL"] + path, headers={"X-Bookshelf-Operator": "smoke test"})
    with urlopen(request, timeout=10) as answer:
        return json.load(answer)


print(get("/")["front"])
hits = get("/search?q=lighthouse")["hits"]
print("books about a lighthouse:", hits)
sys.exit(0 if hits else 1)
