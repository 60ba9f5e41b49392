#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
#name: Convert the search index to format 2
#description: Rewrites the file of version 1 as sorted lines. The old file stays until the new one is complete.
#timeout: 10m
#estimate: 1s
import json
import os
import shlex
import sys
from pathlib import Path


def main() -> None:
    settings = dict(
        word.split("=", 1)
        for word in shlex.split(Path(os.environ["BOOKSHELF_CONF"]).read_text(), True)
        if "=" in word
    )
    path = Path(settings["BOOKSHELF_HOME"], "search", "books.index")
    text = path.read_text()
    if text.startswith("bookshelf-index 2\n"):
        print(path, "has format 2 already")
        return
    document = json.loads(text)
    if document.get("format") != 1:
        sys.exit(f"{path} has an unknown format")
    words = document["words"]
    lines = ["\t".join([word, " ".join(map(str, words[word]))]) for word in sorted(words)]
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as stream:
        stream.write("\n".join(["bookshelf-index 2", *lines]) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    # The service runs as the owner of the old file.
    if os.geteuid() == 0:
        os.chown(temporary, path.stat().st_uid, path.stat().st_gid)
    temporary.replace(path)
    print(f"converted {len(words)} words")


main()
