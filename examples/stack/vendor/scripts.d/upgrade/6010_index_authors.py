#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Find books by their authors
#description: Lets the application give every book to the search service again, with its author's name.
#timeout: 10m
#retry: 2 2s
#estimate: 1s
import json
import os
from urllib.request import Request, urlopen

request = Request(
    os.environ["BOOKSHELF_URL"] + "/admin/index", data=b"", headers={"X-Bookshelf-Operator": "upgrade"}
)
with urlopen(request, timeout=300) as answer:
    result = json.load(answer)
print(f"indexed {result['documents']} books under {result['words']} words")
