"""A process from its start to its end, as the operating system accounts for it."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """A measured process failed; the text is the last line that says why."""


@dataclass(frozen=True)
class Run:
    wall: float
    cpu: float
    peak_mib: float
    report: dict


def measure(
    command: list[str | Path], environment: dict[str, str], timeout: float = 900, code: int = 0
) -> Run:
    """Runs a command that prints one JSON object as its last line, and ends with this exit code."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(["timeout", str(timeout), *command], stdout=out, stderr=err, env=environment)
        except OSError as error:
            raise Failed(str(error)) from error
        # The usage of a process includes that of its children: `timeout` adds next to nothing.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if process.returncode != code:
        raise Failed(why(errors or output, process.returncode))
    last = output.strip().splitlines()[-1] if output.strip() else "{}"
    try:
        report = json.loads(last)
    except ValueError:
        try:
            report = json.loads(output)
        except ValueError:
            report = {}
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, report)


def why(errors: str, code: int) -> str:
    if code == 124:
        return "it took too long"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    # SQLAlchemy ends with a link.
    lines = [line for line in lines if not line.startswith("(Background")]
    telling = [line for line in lines if "rror" in line] or lines
    return (telling[-1] if telling else f"exit code {code}")[:300]
