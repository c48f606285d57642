"""A headless Chromium with a page of ours in it, offline."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait


def find_browser() -> tuple[str, str] | None:
    """The paths of Chromium and its driver; None where either is missing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextlib.contextmanager
def open_browser(scheme: str = "light", width: int = 1200) -> Iterator[Chrome]:
    """An empty window of `width` CSS pixels, with no network.

    Args:
        scheme: `light` or `dark`, what the system is said to prefer.
    """
    found = find_browser()
    assert found is not None, "apt-get install chromium chromium-driver"
    options = ChromeOptions()
    options.binary_location = found[0]
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options, ChromeService(found[1]))
    try:
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield browser
    finally:
        browser.quit()


@contextlib.contextmanager
def open_page(page: Path, scheme: str = "light", width: int = 1200) -> Iterator[Chrome]:
    """The page in a window of `width` CSS pixels once its script has run, with no network but the file itself."""
    with open_browser(scheme, width) as browser:
        browser.get(page.resolve().as_uri())
        WebDriverWait(browser, 30).until(
            lambda b: b.execute_script("return document.documentElement.dataset.ready") == "true"
        )
        yield browser
