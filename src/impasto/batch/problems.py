"""`Problem`: what stands in the way of one painting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RequestError


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in the way of one painting, or of all.

    Attributes:
        name: the photo, line or place that it is about.
        message: what was got, what was expected, and the repair.
        output: the picture that is not painted, if there would be one.
        of_all: nothing can be painted because of it.
    """

    name: str
    message: str
    output: str | None = None
    of_all: bool = False


_SHOWN = 3  # problems that a message quotes


def require_none(problems: Sequence[Problem], *, keep_going: bool) -> None:
    """Refuse to begin a batch that cannot be carried out.

    Args:
        problems: what stands in the way.
        keep_going: problems of single paintings do not count.

    Raises:
        RequestError: something stands in the way.
    """
    counted = [each for each in problems if each.of_all or not keep_going]
    if not counted:
        return
    times = Counter(each.message for each in counted)  # a folder that is not writable stops many paintings alike
    first = "; ".join(
        message if count == 1 else f"{message} ({count} times)" for message, count in list(times.items())[:_SHOWN]
    )
    more = f"; and {len(times) - _SHOWN} more" if len(times) > _SHOWN else ""
    if any(each.of_all for each in counted):
        raise RequestError(f"nothing is painted: {first}{more}")
    which = "1 painting" if len(counted) == 1 else f"{len(counted)} paintings"
    raise RequestError(
        f"nothing is painted, because {which} cannot be: {first}{more}: --keep-going leaves out what cannot be "
        "painted"
    )
