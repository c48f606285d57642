"""`python -m benchmarks.report`: seconds, memory and size of `sweeper.report` over 100 and 1,000 runs of 200 epochs.

The runs are those of `benchmarks.aggregate`, in a temporary folder; the real command reads them in a process of its
own, and a browser, if there is one, opens the page: seconds until its charts are drawn.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.aggregate import write_run
from benchmarks.command_line import take_no_options

SIZES = (100, 1_000)


def main() -> None:
    take_no_options("report", __doc__)
    with tempfile.TemporaryDirectory() as folder:
        outputs, made = Path(folder) / "outputs", 0
        for size in SIZES:
            for k in range(made, size):
                write_run(outputs, k)
            made = size
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "sweeper.report", outputs], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
            page = outputs / "report.html"
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
