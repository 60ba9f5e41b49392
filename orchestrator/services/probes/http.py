# SPDX-License-Identifier: GPL-3.0-or-later
"""`http`: a URL answers with a wanted status and, where asked for, wanted values in its JSON.

No answer ends the wait: servers answer 500, 503 and half of a document on their way up.
"""

import json
import re
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

from orchestrator.config import model
from orchestrator.host.sockets import http_get, why
from orchestrator.services.service import READY, Marks, Verdict, starting

_ABSENT = object()


class Http:
    def __init__(self, spec: model.HttpProbe) -> None:
        self._spec = spec

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        fault = self._fault()
        return starting(f"{_shown(self._spec.url)}: {fault}") if fault else READY

    def _fault(self) -> str:
        """What is wrong with the answer; empty when it is the wanted one."""
        spec = self._spec
        try:
            answer = http_get(spec.url, headers=spec.headers, ca=spec.ca, timeout=spec.timeout)
        except OSError as error:
            return why(error)
        except HTTPException as error:
            return f"not an HTTP answer ({type(error).__name__})"
        except ValueError:
            # The text of these errors quotes headers, which may hold a password.
            return "the address or the headers of this probe cannot be sent by HTTP"
        if answer.status not in spec.status:
            wanted = " or ".join(map(str, spec.status))
            return f"answers {_status(answer.status)}, wanted {wanted}"
        return _json_fault(answer.body, spec.json_values)


def _json_fault(body: bytes, values: dict[str, tuple[Any, ...]]) -> str:
    """The first of the wanted values that the document does not have; empty when it has all."""
    if not values:
        return ""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"the answer is not JSON ({error})"
    for key, wanted in values.items():
        found = _descend(document, key)
        if found is _ABSENT:
            return f"the answer has no {key}"
        if not any(_same(found, value) for value in wanted):
            return f"{key} is {_text(found)}, wanted {' or '.join(map(_text, wanted))}"
    return ""


def _descend(document: Any, key: str) -> Any:
    """The value at `key`: `a.b` is b in a, `a.0` the first of the list a."""
    for part in key.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _ABSENT
    return document


def _same(found: Any, wanted: Any) -> bool:
    """Equal as JSON has it: true is not 1."""
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def _text(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _shown(url: str) -> str:
    """The URL without what may be secret in it: user, password and query."""
    return re.sub(r"//[^/?#]*@", "//", url).partition("?")[0]
