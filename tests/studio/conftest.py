"""Leaves the tests of the studio out where its extra is not installed; `test_extra.py` says so."""

from __future__ import annotations

import importlib.util

from .test_extra import NEEDED

collect_ignore_glob: list[str] = []

if all(importlib.util.find_spec(library) for library in NEEDED):
    from .browser import start_browser  # noqa: F401 (a fixture)
    from .pages import opened, page, painted, photo  # noqa: F401 (fixtures)
    from .real import run_studio  # noqa: F401 (a fixture)
    from .studios import api, open_studio  # noqa: F401 (fixtures)
else:
    collect_ignore_glob = ["test_[!e]*.py", "test_events.py"]
