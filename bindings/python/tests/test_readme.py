"""The example of the README runs, and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# The example as it is, with its rings in a root of the test's.
PRELUDE = """
import functools, feed_ring
for name in ("publish", "subscribe"):
    setattr(feed_ring, name, functools.partial(getattr(feed_ring, name), root={root!r}))
"""

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("readme", [FOLDER / "README.md", FOLDER.parents[1] / "README.md"])
def test_examples_run(readme, root):
    examples = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        program = PRELUDE.format(root=str(root)) + example
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        expected = re.findall(r"# (\d+)$", example, re.MULTILINE)
        assert expected and ran.stdout.split()[: len(expected)] == expected
