# SPDX-License-Identifier: GPL-3.0-or-later
"""comps.xml: groups of packages, and environments of groups; cut to the packages that are kept."""

from collections.abc import Collection
from xml.etree import ElementTree as ET

from orchestrator.content.formats.rpm import markup

# The kinds of members that installing a group brings in; optional and conditional ones are chosen one by one.
_INSTALLED = ("mandatory", "default")


def filtered(data: bytes, name: str, kept: Collection[str]) -> bytes:
    """Groups with the packages named in `kept`, environments and categories with the groups that are left."""
    root = markup.parse(data, name)
    groups = {_id(group) for group in root.findall("group") if _keep_packages(group, kept)}
    for group in root.findall("group"):
        if _id(group) not in groups:
            root.remove(group)
    for element in (*root.findall("environment"), *root.findall("category")):
        for members in (*element.findall("grouplist"), *element.findall("optionlist")):
            _keep(members, "groupid", groups)
        if element.find(".//groupid") is None:
            root.remove(element)
    for packs in root.findall("langpacks"):
        for match in packs.findall("match"):
            if match.get("name") not in kept:
                packs.remove(match)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def members(data: bytes, name: str, group: str) -> list[str] | None:
    """The packages that installing the group (or the groups of the environment) `group` brings in; None when
    there is no such group."""
    root = markup.parse(data, name)
    groups = {_id(each): each for each in root.findall("group")}
    wanted = [group] if group in groups else []
    for environment in root.findall("environment"):
        if _id(environment) == group:
            wanted += [
                (each.text or "").strip() for part in environment.findall("grouplist") for each in part
            ]
    if not wanted:
        return None
    return [
        (each.text or "").strip()
        for one in dict.fromkeys(wanted)
        if one in groups
        for each in groups[one].iter("packagereq")
        if each.get("type", "mandatory") in _INSTALLED
    ]


def _id(element: ET.Element) -> str:
    return (element.findtext("id") or "").strip()


def _keep_packages(group: ET.Element, kept: Collection[str]) -> bool:
    """Whether the group has packages left."""
    for members in group.findall("packagelist"):
        _keep(members, "packagereq", kept)
    return group.find(".//packagereq") is not None


def _keep(element: ET.Element, tag: str, kept: Collection[str]) -> None:
    for each in element.findall(tag):
        if (each.text or "").strip() not in kept:
            element.remove(each)
