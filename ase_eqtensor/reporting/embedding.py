"""Scripts and figures within a page, packed: a browser unpacks them without a network."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable
from functools import cache

from plotly.offline import get_plotlyjs

from .figures import Picture


def packed(text: str) -> str:
    """gzip and base64 of a text; the same for the same text."""
    return b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


@cache
def packed_plotly() -> str:
    """plotly.js, once per process: to pack it takes longer than a page."""
    return packed(get_plotlyjs())


def packed_figures(pictures: Iterable[Picture]) -> str:
    """A JSON object, key of each picture -> what plotly draws."""
    return packed(
        json.dumps({picture.key: json.loads(picture.figure.to_json()) for picture in pictures})
    )
