"""A document as what stands behind the # of the page's address. `studio/src/link.ts` is the other side."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any


def link(document: Mapping[str, Any]) -> str:
    """The document in the alphabet of addresses: base64url of its JSON, without padding.

    >>> link({"peak": "µ"})
    'eyJwZWFrIjoiwrUifQ'
    """
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")
