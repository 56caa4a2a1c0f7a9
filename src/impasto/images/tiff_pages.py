"""The pages of a TIFF. In a damaged file their chain may lead back to an earlier page, and so never end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def each_once(pages: Iterable[Any] | None) -> Iterator[Any]:
    """Give the pages of a chain, as tifffile reads them, until one stands where an earlier one stood.

    Args:
        pages: the pages of a file, or those nested in a page; None gives none.
    """
    seen: set[int] = set()
    for page in pages or ():
        if page.offset in seen:
            return
        seen.add(page.offset)
        yield page


def with_nested(pages: Iterable[Any]) -> Iterator[Any]:
    """Give each page of a chain, followed by the pages nested in it."""
    for page in each_once(pages):
        yield page
        yield from each_once(getattr(page, "pages", None))
