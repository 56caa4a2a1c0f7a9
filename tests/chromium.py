"""Headless Chromium, driven by Selenium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30  # for a page to load, and for a script
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def start_chromium(profile: Path) -> Any:
    """Start Chromium, which downloads into its profile; skip the test where it isn't installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    driver = shutil.which("chromedriver")
    if not found or not driver:
        pytest.skip("Chromium and chromedriver are not installed: make test-browser")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(profile)})
    # a given driver is not looked for elsewhere
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chromium.set_page_load_timeout(SECONDS)
    chromium.set_script_timeout(SECONDS)
    return chromium
