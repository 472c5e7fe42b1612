"""Times whole `icehost` processes against the development SQL Server on this machine.

Prints, per case, the median of several runs: wall seconds, CPU seconds (user + system) and peak
resident memory of the `icehost` process alone, as the operating system accounts for it. The server is
a process of its own and is not counted, but shares the machine's cores.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

COLUMNS = """
  Id int NOT NULL PRIMARY KEY, Name nvarchar(100) NOT NULL, City nvarchar(50) NULL,
  Code uniqueidentifier NOT NULL, Price decimal(18,4) NOT NULL, Balance money NOT NULL,
  Ratio float NOT NULL, Active bit NOT NULL, Born date NOT NULL, Visits bigint NOT NULL,
  Created datetime2(3) NOT NULL, Modified datetime2(7) NOT NULL"""

ROWS = """
  SELECT value, CONCAT(N'customer name ', value), CASE WHEN value % 5 = 0 THEN NULL ELSE N'some city' END,
    NEWID(), CAST(value AS decimal(18,4)) / 7, CAST(value AS money) / 4, value / 3.0, value % 2,
    DATEADD(day, value % 20000, '1970-01-01'), CAST(value AS bigint) * 1000003,
    DATEADD(second, value, '2020-01-01'), DATEADD(second, value, '2020-01-01')
  FROM GENERATE_SERIES({first}, {last})"""


@dataclass
class Figures:
    wall: float
    cpu: float
    peak_mib: float
    report: dict


class Server:
    """The development SQL Server, as a process."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.password = secrets.token_hex(8)
        self.environment = os.environ | {"ICEHOST_DEVSERVER_PASSWORD": self.password}
        self.process = subprocess.Popen(
            [programs / "icehost-devserver", "--listen", "127.0.0.1:0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"error: the development server did not start: {line}")
        self.address = line.removeprefix("listening on ").strip()

    def sql(self, database: str, statement: str) -> str:
        run = subprocess.run(
            [self.programs / "icehost-sql", self.address, database, statement],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return run.stdout

    def url(self, database: str) -> str:
        return f"mssql://sa:{self.password}@{self.address}/{database}?trust_server_certificate=true"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def measure(command: list[str | Path]) -> Figures:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {command[1]} failed")
    report = json.loads(output)
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, report)


def show(case: str, runs: list[Figures]) -> None:
    def median(of: str) -> float:
        return statistics.median(getattr(run, of) for run in runs)

    walls = [run.wall for run in runs]
    component = statistics.median(run.report.get("component_ms", 0) / run.report["duration_ms"] for run in runs)
    print(
        f"{case:<44} {median('wall'):8.2f} {min(walls):8.2f} {max(walls):8.2f} "
        f"{median('cpu'):8.2f} {median('peak_mib'):9.0f} {component:10.3%}",
        flush=True,
    )


def component_load_times(icehost: Path, cache: Path, runs: int) -> None:
    """The shipped `timestamp` component, compiled and from the cache of compiled components."""

    def load_ms(*options: str | Path) -> float:
        command = [icehost, "plugin", "inspect", "timestamp", "--output", "json", *options]
        return measure(command).report["strategies"][0]["load_ms"]

    load_ms("--cache-dir", cache)
    cold = statistics.median(load_ms("--no-cache") for _ in range(runs))
    cached = statistics.median(load_ms("--cache-dir", cache) for _ in range(runs))
    print(f"component load: {cold:.2f} ms cold, {cached:.2f} ms cached")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="where the release programs are")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 4_000_000])
    arguments = parser.parse_args()
    programs: Path = arguments.bin.absolute()
    icehost = programs / "icehost"
    work = Path(tempfile.mkdtemp(prefix="icehost-bench-"))
    server = Server(programs)

    def sync(table: str, lake: Path, *more: str) -> Figures:
        return measure(
            [icehost, "sync", "--output", "json", "--source", server.url("source"), "--table", table,
             "--warehouse", lake, "--lake-table", "bench.t", "--strategy", "timestamp",
             "--strategy-option", "column=Modified", "--merge", "upsert", *more]
        )  # fmt: skip

    try:
        server.sql("master", "CREATE DATABASE source")
        print(
            f"{'case':<44} {'wall s':>8} {'min':>8} {'max':>8} {'cpu s':>8} {'peak MiB':>9} {'components':>10}"
        )

        server.sql("source", f"CREATE TABLE dbo.Small ({COLUMNS})")
        server.sql("source", "INSERT INTO dbo.Small" + ROWS.format(first=1, last=10_000))
        runs = []
        for run in range(arguments.runs):
            server.sql("master", f"CREATE DATABASE target{run}")
            runs.append(
                sync("dbo.Small", work / f"small{run}", "--target", server.url(f"target{run}"), "--create-target")
            )
        show("10,000 rows, source -> lake -> target", runs)
        show(
            "the same again, nothing changed",
            [
                sync("dbo.Small", work / f"small{run}", "--target", server.url(f"target{run}"))
                for run in range(arguments.runs)
            ],
        )

        for rows in arguments.rows:
            table = f"dbo.T{rows}"
            server.sql("source", f"CREATE TABLE {table} ({COLUMNS})")
            step = 500_000
            for first in range(1, rows + 1, step):
                last = min(rows, first + step - 1)
                server.sql("source", f"INSERT INTO {table}" + ROWS.format(first=first, last=last))
            runs = []
            for run in range(arguments.runs):
                lake = work / f"large{run}"
                runs.append(sync(table, lake))
                if run + 1 < arguments.runs:
                    shutil.rmtree(lake)
            show(f"{rows:,} rows x 12 columns, source -> lake", runs)
            server.sql(
                "source",
                f"UPDATE {table} SET Balance = Balance + 1, Modified = DATEADD(year, 1, Modified) WHERE Id <= 10000",
            )
            show(f"10,000 changed rows into {rows:,}", [sync(table, work / f"large{arguments.runs - 1}")])
            server.sql("source", f"DROP TABLE {table}")
            shutil.rmtree(work / f"large{arguments.runs - 1}")
        component_load_times(icehost, work / "cache", arguments.runs)
    finally:
        server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
