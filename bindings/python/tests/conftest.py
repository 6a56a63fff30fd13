"""What the tests share: a root of their own, market data where there is some, and the Rust programs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")) / "release"
ESH4 = "esh4-glbx-mdp3-20231225.mbo.dbn.zst"


ROOT = "feed-ring-python-"


def pytest_configure():
    # The fixtures clean up on SIGTERM too; what a run left that was killed goes with the next one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A job in the background of a script ignores it, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for path in Path("/dev/shm").glob(f"{ROOT}*"):
        if not Path("/proc", path.name[len(ROOT) :].split("-")[0]).exists():
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def root():
    """A directory for rings that nobody else has. It is gone afterwards."""
    path = tempfile.mkdtemp(prefix=f"{ROOT}{os.getpid()}-", dir="/dev/shm")
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture
def esh4():
    """The path of the data of a day of one future."""
    folder = Path(os.environ.get("FEED_DATA") or PROJECT.parent / "shared" / "data")
    path = folder / ESH4
    if not path.is_file():
        pytest.skip(f"SKIPPED: no {path} (set FEED_DATA to the folder of the market data)")
    return path


class Program:
    """A program that a test started. It is ended with the test."""

    def __init__(self, *arguments, **options):
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def finish(self):
        """Waits for its end and returns what it wrote to standard output."""
        out, error = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, error
        return out

    def summary(self):
        """The summary, which is the last line."""
        return json.loads(self.finish().splitlines()[-1])

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(root):
    """Starts a program: the name of one of the project's, or Python with a text."""
    started = []

    def begin(name, *arguments):
        if name == "python":
            program = Program(sys.executable, "-c", *arguments)
        else:
            program = Program(PROGRAMS / name, "--root", root, "--summary", "json", *arguments)
        started.append(program)
        return program

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.kill()
