"""`python -m benchmarks.report`: seconds, memory and size of `sweeper.report` over 100 and 1,000 runs of 200 epochs.

The runs are those of `benchmarks.aggregate`, in a temporary folder; the real command reads them in a process of its
own, and a browser, if there is one, opens the page: seconds until its charts are drawn.
"""

import tempfile
from pathlib import Path

from benchmarks.aggregate import measure
from benchmarks.command_line import take_no_options

SIZES = (100, 1_000)


def main() -> None:
    take_no_options("report", __doc__)
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs"
        page = outputs / "report.html"
        for size, seconds, peak in measure("report", outputs, SIZES):
            print(
                f"runs {size}  seconds {seconds:.2f}  peak_megabytes {peak:.0f}  "
                f"page_megabytes {page.stat().st_size / 1e6:.1f}  seconds_to_open {_opened(page)}",
                flush=True,
            )


def _opened(page: Path) -> str:
    """Seconds from asking a headless browser for the page until all charts are drawn; `-` without one."""
    try:
        from tests.browser.pages import open_page
    except ImportError:
        return "-"
    with open_page(page) as browser:
        return f"{browser.execute_script('return performance.now()') / 1000:.2f}"


if __name__ == "__main__":
    main()
