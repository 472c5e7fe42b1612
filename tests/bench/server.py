"""The development SQL Server as a process, and its databases through `icehost-sql`."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote


class Server:
    """Replays results from memory, so that what reads is measured and not what computes."""

    def __init__(self, programs: Path, replay_mib: int) -> None:
        self.programs = programs
        self.password = secrets.token_hex(8)
        self.environment = os.environ | {"ICEHOST_DEVSERVER_PASSWORD": self.password, "RUST_LOG": "error"}
        command = [programs / "icehost-devserver", "--listen", "127.0.0.1:0"]
        if replay_mib:
            command += ["--replay-results", str(replay_mib)]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"error: the development server did not start: {line}")
        self.address = line.removeprefix("listening on ").strip()

    def sql(self, database: str, statement: str) -> str:
        run = subprocess.run(
            [self.programs / "icehost-sql", self.address, database, statement],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if run.returncode != 0:
            sys.exit(f"error: {statement[:200]}: {run.stderr.strip()}")
        return run.stdout

    def url(self, database: str) -> str:
        return f"mssql://sa:{quote(self.password)}@{self.address}/{database}?encrypt=false"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
