"""The stubs say what the module has, and the examples are typed."""

import subprocess
import sys
from pathlib import Path

import pytest

import feed_ring

FOLDER = Path(__file__).parents[1]


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=300, **options)


def test_stubs_and_module_agree(tmp_path):
    # mypy does not follow a list of names that another module has.
    (tmp_path / "allowed").write_text("feed_ring.__all__\n")
    checked = run("mypy.stubtest", "feed_ring", "--allowlist", "allowed", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("what", [["-p", "feed_ring"], [FOLDER / "examples"]])
def test_package_and_examples_are_typed(tmp_path, what):
    checked = run("mypy", "--strict", *what, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["Subscriber", "Publisher", "RecordPublisher", "TableReader", "TableWriter", "CellReader", "CellWriter"])
def test_everything_public_is_documented(name):
    of = getattr(feed_ring, name)
    undocumented = [member for member in dir(of) if not member.startswith("_") and not getattr(of, member).__doc__]
    assert of.__doc__ and not undocumented
