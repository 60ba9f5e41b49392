# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that are signed well and wrong all the same: metadata is changed, and what names it with it.

Of the archives in `mirrored`: `deb_with` makes one of packages whose entries are changed; `rpm_copy` is one whose
records can be replaced.
"""

import gzip
import hashlib
import lzma
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.deb_repository import DebRepository
from tests.support.mirrored import archive, deb_archive, debs
from tests.support.openpgp import key
from tests.support.rpm_repository import RpmRepository

# Larger than what is believed without an announcement.
BOMB = 80 << 20


def deb_with(root: Path, stanza: Mapping[str, str], **options: Any) -> DebRepository:
    """Version 2, and its index says this of `db`."""
    made = deb_archive(root, 2, **options)
    made.publish(*(replace(deb, stanza=stanza) if deb.name == "db" else deb for deb in debs(2)))
    return made


def deb_index(root: Path, change: Callable[[bytes], bytes], **options: Any) -> DebRepository:
    """Version 2, with another list of packages."""
    made = deb_archive(root, 2, **options)
    made.release({"main/binary-amd64/Packages": change(made.files["main/binary-amd64/Packages"])})
    return made


def rpm_copy(root: Path) -> RpmRepository:
    """Version 2."""
    shutil.copytree(archive("rpm", 2), root, dirs_exist_ok=True)
    return RpmRepository(root / "os", key=key())


_DATA = r'(?s)  <data type="%s">.*?</data>\n'


def record_path(made: RpmRepository, kind: str) -> Path:
    text = re.search(_DATA % kind, made.repomd.read_text())
    assert text
    href = re.search(r'href="([^"]*)"', text[0])
    assert href
    return made.root / href[1]


def read_record(made: RpmRepository, kind: str) -> bytes:
    return gzip.decompress(record_path(made, kind).read_bytes())


def compressed(data: bytes, form: str) -> bytes:
    if form == "zst":
        import zstandard

        return bytes(zstandard.compress(data))
    if form == "xz":
        return lzma.compress(data, preset=0)
    return gzip.compress(data, 9) if form == "gz" else data


def write_record(
    made: RpmRepository, kind: str, data: bytes, form: str = "gz", *, open_size: int = 0
) -> None:
    """Give the repository this record, instead of the one it has, and sign. `open_size`: what is said of it."""
    packed = compressed(data, form)
    digest = hashlib.sha256(packed).hexdigest()
    name = f"repodata/{digest}-{kind}.{'yaml' if kind == 'modules' else 'xml'}{f'.{form}' if form else ''}"
    (made.root / name).write_bytes(packed)
    element = (
        f'  <data type="{kind}">\n    <checksum type="sha256">{digest}</checksum>\n'
        f'    <open-checksum type="sha256">{hashlib.sha256(data).hexdigest()}</open-checksum>\n'
        f'    <location href="{name}"/>\n    <timestamp>1700172800</timestamp>\n'
        f"    <size>{len(packed)}</size>\n    <open-size>{open_size or len(data)}</open-size>\n  </data>\n"
    )
    text, count = re.subn(_DATA % kind, lambda _: element, made.repomd.read_text())
    made.repomd.write_text(text if count else text.replace("</repomd>", f"{element}</repomd>"))
    made.sign()


def change_record(made: RpmRepository, kind: str, old: bytes, new: bytes) -> None:
    data = read_record(made, kind)
    assert old in data
    write_record(made, kind, data.replace(old, new))


def element_of(made: RpmRepository, name: str) -> bytes:
    """What primary says of a package."""
    elements: list[bytes] = re.findall(rb"(?s)<package type=.*?</package>\n?", read_record(made, "primary"))
    return next(element for element in elements if b"<name>%s</name>" % name.encode() in element)
