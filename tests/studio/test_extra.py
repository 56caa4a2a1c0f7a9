"""The libraries that the tests of the studio need."""

import pytest

NEEDED = ("starlette", "uvicorn", "python_multipart", "httpx2")


@pytest.mark.parametrize("library", NEEDED)
def test_the_extra_is_here(library):
    pytest.importorskip(library, reason="not installed, so the tests of the studio are left out")
