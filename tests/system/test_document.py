"""`--json` prints one document on standard output, however the command ends."""

import json
import subprocess
import sys

import pytest

ENDS = {
    "return print('a table') or 1": (1, None),
    "raise BadInput('x: wrong;\\n do this')": (2, "x: wrong; do this"),
    "raise RunFailed('y failed')": (1, "y failed"),
    "open('/there/is/none')": (2, "FileNotFoundError: [Errno 2] No such file or directory: '/there/is/none'"),
    "raise KeyboardInterrupt": (130, None),
}
PROGRAM = """
import sys
from sweeper.system.document import print_document
from sweeper.system.errors import BadInput, RunFailed
def command():
    {}
sys.exit(print_document(command, lambda: {{"found": [1]}}))
"""


@pytest.mark.parametrize("end", ENDS)
def test_one_document_however_it_ends(end):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(end)], capture_output=True, text=True, check=False)
    code, error = ENDS[end]
    assert json.loads(done.stdout) == {"exit_code": code, "error": error, "found": [1]}
    assert done.returncode == code and ("a table" in done.stderr) == ("table" in end)
