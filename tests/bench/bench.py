"""Times whole processes that move a SQL Server table into an Iceberg table or back: `icehost` and what people
use today, against the same server in the same run.

Wall and CPU (user + system) seconds and peak resident memory are those of the measured process alone. The
development server is a process of its own and is not counted, but shares the machine's cores; it replays
results from memory, and each contender runs once unmeasured before its runs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from commits import commits
from measure import Failed, Run, measure
from server import Server
from tables import SHAPES, Shape

CASES = ["mixed", "mixed10", "wide", "narrow", "text", "max", "upsert", "noop", "lookback", "load", "verify", "commits"]
HERE = Path(__file__).parent
STEP = 500_000
CHANGED = 10_000
DIFFERENT = 1_000
COMMITS = [1, 100, 1_000, 3_000]


def lake_records(table: Path) -> int:
    """Rows of the current snapshot, as its summary has them."""
    metadata = max((table / "metadata").glob("v*.metadata.json"), key=lambda path: int(path.name[1:].split(".")[0]))
    document = json.loads(metadata.read_text())
    current = document["current-snapshot-id"]
    snapshot = next(one for one in document["snapshots"] if one["snapshot-id"] == current)
    summary = snapshot["summary"]
    return int(summary["total-records"]) - int(summary.get("total-position-deletes", 0))


class Bench:
    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self.programs: Path = arguments.bin.absolute()
        self.icehost = self.programs / "icehost"
        self.python: str | None = arguments.python
        self.runs: int = arguments.runs
        self.rows: int = arguments.rows
        self.only: list[str] = arguments.contenders
        self.work = work
        self.server = None if arguments.source else Server(self.programs, arguments.replay_mib)
        self.source: str = arguments.source or self.server.url("source")
        self.source_table: str = arguments.source_table
        if self.server:
            self.server.sql("master", "CREATE DATABASE source")
        self.made: dict[tuple[str, int], str] = {}
        help_text = subprocess.run([self.icehost, "sync", "--help"], capture_output=True, text=True).stdout
        self.parallel = [1, 2] if "--parallel" in help_text else [0]

    # Tables and processes

    def table(self, shape: str, rows: int) -> str:
        """A table of the source with that many rows, made once."""
        if self.server is None:
            return self.source_table
        if (shape, rows) not in self.made:
            name = f"dbo.{shape}{rows}"
            kind: Shape = SHAPES[shape]
            self.server.sql("source", kind.create(name))
            for first in range(1, rows + 1, STEP):
                self.server.sql("source", kind.insert(name, first, min(rows, first + STEP - 1)))
            self.made[shape, rows] = name
        return self.made[shape, rows]

    def drop(self, shape: str, rows: int) -> None:
        name = self.made.pop((shape, rows), None)
        if name and self.server:
            self.server.sql("source", f"DROP TABLE {name}")

    def sync(self, table: str, lake: Path, parallel: int, *options: str) -> Run:
        more = ["--parallel", str(parallel)] if parallel else []
        more += [part for option in options for part in ("--strategy-option", option)]
        run = measure(
            [self.icehost, "sync", "--output", "json", "--source", self.source, "--table", table,
             "--warehouse", lake, "--lake-table", "bench.t", "--strategy", "timestamp",
             "--strategy-option", "column=Modified", "--merge", "upsert", *more],
            dict(os.environ),
        )  # fmt: skip
        run.report["rows"] = lake_records(lake / "bench" / "t")
        return run

    def baseline(self, script: str, *arguments: str | Path, url: str | None = None) -> Run:
        if self.python is None:
            raise Failed("no Python environment with the baselines")
        return measure(
            [self.python, HERE / "baselines" / f"{script}.py", *map(str, arguments)],
            os.environ | {"BENCH_URL": url or self.source},
        )

    # Running and showing

    def contend(self, case: str, rows: int | None, contenders: Iterable[tuple[str, Callable[[], Run]]]) -> None:
        """Runs contenders and prints a line for each; ratios are to the one marked with `*`."""
        print(f"\n{case}", flush=True)
        print(
            f"  {'':<44} {'wall s':>8} {'min':>8} {'max':>8} {'cpu s':>8} {'peak MiB':>9} {'x wall':>7} {'x cpu':>7}  rows"
        )
        results: list[tuple[str, list[Run] | str]] = []
        for name, run in contenders:
            if self.only and not any(word in name for word in self.only):
                continue
            try:
                run()
                results.append((name, [run() for _ in range(self.runs)]))
            except Failed as failure:
                results.append((name, str(failure)))
            print(f"  .. {name.removeprefix('*')}", file=sys.stderr, flush=True)
        base = next((runs for name, runs in results if name.startswith("*") and isinstance(runs, list)), None)
        for name, runs in results:
            if isinstance(runs, str):
                print(f"  {name:<44} failed: {runs}", flush=True)
                continue

            def median(of: str, of_runs: list[Run]) -> float:
                return statistics.median(getattr(run, of) for run in of_runs)

            walls = [run.wall for run in runs]
            ratios = [f"{median(of, runs) / median(of, base):7.2f}" if base else f"{'-':>7}" for of in ("wall", "cpu")]
            counts = {run.report.get("rows") for run in runs}
            count = ", ".join(f"{one:,}" if isinstance(one, int) else "?" for one in counts)
            wrong = "" if rows is None or counts == {rows} else f"  WRONG, not {rows:,}"
            print(
                f"  {name:<44} {median('wall', runs):8.2f} {min(walls):8.2f} {max(walls):8.2f} "
                f"{median('cpu', runs):8.2f} {median('peak_mib', runs):9.0f} {' '.join(ratios)}  {count}{wrong}",
                flush=True,
            )

    def fresh(self, name: str) -> Path:
        directory = self.work / name
        shutil.rmtree(directory, ignore_errors=True)
        return directory

    def icehosts(self, run: Callable[[int], Run]) -> list[tuple[str, Callable[[], Run]]]:
        return [
            (f"icehost --parallel {n}" if n else "icehost", lambda n=n: run(n)) for n in self.parallel
        ]

    # Cases

    def extract(self, case: str, shape: str, rows: int) -> None:
        table = self.table(shape, rows)
        contenders = self.icehosts(lambda n: self.sync(table, self.fresh("lake"), n))
        contenders += [
            ("*mssql-python + PyIceberg", lambda: self.baseline("mssql_python_pyiceberg", table, self.fresh("lake"))),
            ("ConnectorX + PyIceberg", lambda: self.baseline("connectorx_pyiceberg", table, self.fresh("lake"))),
            ("mssql-python, rows dropped (the limit)", lambda: self.baseline("bare_reader", table)),
        ]
        if shape == "mixed":
            contenders.append(("dlt -> Iceberg", lambda: self.baseline("dlt_iceberg", table, self.fresh("lake"))))
        size = f"{rows:,} rows" if self.server else table
        what = SHAPES[shape].what if self.server else "as it is"
        self.contend(f"{case}: {size}, {what}, source -> Iceberg", rows if self.server else None, contenders)
        if shape != "mixed" or rows != self.rows:
            self.drop(shape, rows)

    def restoring(self, name: str, run: Callable[[Path], Run]) -> Callable[[], Run]:
        """Runs on a directory that is as it was before."""
        directory, backup = self.work / name, self.work / f"{name}-backup"

        def restored() -> Run:
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(backup, directory)
            return run(directory)

        return restored

    def prepare(self, name: str, run: Callable[[Path], Run]) -> None:
        directory, backup = self.fresh(name), self.fresh(f"{name}-backup")
        try:
            run(directory)
            shutil.copytree(directory, backup)
        except Failed as failure:
            backup.mkdir(exist_ok=True)
            print(f"  {name} is not there: {failure}", flush=True)

    def changes(self, cases: list[str]) -> None:
        assert self.server is not None
        table = self.table("mixed", self.rows)
        self.prepare("ours", lambda directory: self.sync(table, directory, 0))
        if "noop" in cases:
            self.contend(
                f"noop: nothing changed in {self.rows:,} rows",
                self.rows,
                [("icehost", lambda: self.sync(table, self.work / "ours", 0))],
            )
        if "upsert" in cases:
            self.prepare("theirs", lambda directory: self.baseline("mssql_python_pyiceberg", table, directory))
            changed = min(CHANGED, self.rows)
            self.server.sql(
                "source",
                f"UPDATE {table} SET Balance = Balance + 1, Modified = DATEADD(year, 100, Modified) WHERE Id <= {changed}",
            )
            upsert = self.restoring("theirs", lambda directory: self.baseline("pyiceberg_upsert", table, directory))
            self.contend(
                f"upsert: {changed:,} changed rows into {self.rows:,}",
                self.rows,
                [
                    ("icehost", self.restoring("ours", lambda directory: self.sync(table, directory, 0))),
                    ("*mssql-python + PyIceberg upsert", upsert),
                ],
            )
        self.drop("mixed", self.rows)

    def lookback(self) -> None:
        """What reading again costs, where the last minute before the mark has few rows and where it has many."""
        assert self.server is not None
        table = self.table("mixed", self.rows)
        self.prepare("ours", lambda directory: self.sync(table, directory, 0))
        lake = self.work / "ours"

        def dated(first: int, last: int, later: int) -> None:
            assert self.server is not None
            moment = f"DATEADD(millisecond, Id % 60000, DATEADD(minute, {later}, '2026-06-01'))"
            self.server.sql("source", f"UPDATE {table} SET Modified = {moment} WHERE Id BETWEEN {first} AND {last}")

        def contenders(run: Callable[[str], Run]) -> list[tuple[str, Callable[[], Run]]]:
            return [
                (f"{'' if seconds else '*'}icehost, lookback-seconds={seconds}",
                 lambda option=f"lookback-seconds={seconds}": run(option))
                for seconds in (60, 0)
            ]  # fmt: skip

        for later, recent in enumerate((CHANGED // 10, CHANGED, 10 * CHANGED)):
            recent = min(recent, self.rows)
            dated(1, recent, later)
            self.sync(table, lake, 0)
            self.contend(
                f"lookback: nothing changed in {self.rows:,} rows, {recent:,} in the last minute",
                self.rows,
                contenders(lambda option: self.sync(table, lake, 0, option)),
            )
        backup = self.fresh("ours-backup")
        shutil.copytree(lake, backup)
        dated(1, CHANGED // 10, 9)
        self.contend(
            f"lookback: {CHANGED // 10:,} changed rows into {self.rows:,}, {recent:,} in the minute before",
            self.rows,
            contenders(lambda option: self.restoring("ours", lambda lake: self.sync(table, lake, 0, option))()),
        )
        self.drop("mixed", self.rows)

    def load(self) -> None:
        assert self.server is not None
        server = self.server
        table = self.table("mixed", self.rows)
        self.prepare("ours", lambda directory: self.sync(table, directory, 0))
        self.prepare("theirs", lambda directory: self.baseline("mssql_python_pyiceberg", table, directory))

        def target(with_table: bool) -> str:
            server.sql("master", "DROP DATABASE IF EXISTS target; CREATE DATABASE target")
            if with_table:
                server.sql("target", SHAPES["mixed"].create("dbo.t"))
            return server.url("target")

        def counted(run: Run) -> Run:
            run.report["rows"] = int(server.sql("target", "SELECT COUNT(*) FROM dbo.t").split()[-1])
            return run

        def icehost() -> Run:
            url = target(False)
            return counted(
                measure(
                    [self.icehost, "load", "--output", "json", "--warehouse", self.work / "ours",
                     "--lake-table", "bench.t", "--target", url, "--target-table", "dbo.t", "--create-target",
                     "--merge", "upsert"],
                    dict(os.environ),
                )
            )  # fmt: skip

        def bulkcopy() -> Run:
            url = target(True)
            return counted(self.baseline("mssql_python_bulkcopy", "dbo.t", self.work / "theirs", url=url))

        rows_file = self.work / "rows.bcp"
        login = ["-S", server.address, "-U", "sa", "-P", server.password, "-c"]
        environment = os.environ | {"TDSVER": "7.4"}

        def freebcp() -> Run:
            target(True)
            if not rows_file.exists():
                measure(["freebcp", f"source.{table}", "out", rows_file, *login], environment)
            return counted(measure(["freebcp", "target.dbo.t", "in", rows_file, *login, "-b", "100000"], environment))

        self.contend(
            f"load: {self.rows:,} rows, {SHAPES['mixed'].what}, Iceberg -> SQL Server (freebcp: from a text file)",
            self.rows,
            [
                ("icehost", icehost),
                ("*freebcp", freebcp),
                ("PyIceberg + mssql-python Arrow bulk copy", bulkcopy),
            ],
        )
        self.drop("mixed", self.rows)

    def verify(self) -> None:
        """Source, lake and target, compared: equal, and with rows that differ on both ways."""
        assert self.server is not None
        server = self.server
        table = self.table("mixed", self.rows)
        server.sql("master", "DROP DATABASE IF EXISTS target; CREATE DATABASE target")
        lake = self.fresh("ours")
        told = ["--source", self.source, "--table", table, "--warehouse", lake, "--lake-table", "bench.t",
                "--strategy", "timestamp", "--strategy-option", "column=Modified", "--merge", "upsert",
                "--target", server.url("target"), "--target-table", "dbo.t"]  # fmt: skip
        measure([self.icehost, "sync", "--output", "json", *told, "--create-target"], dict(os.environ))

        def verify(code: int, *more: str) -> Run:
            run = measure([self.icehost, "verify", "--output", "json", *told, *more], dict(os.environ), code=code)
            run.report["rows"] = run.report["target"]["rows_found"]
            return run

        limits = ["", "64MiB"]

        def contenders(code: int) -> list[tuple[str, Callable[[], Run]]]:
            named = [(f"icehost verify --memory-limit {limit}" if limit else "icehost verify", limit) for limit in limits]
            return [
                (name, lambda limit=limit: verify(code, *(["--memory-limit", limit] if limit else [])))
                for name, limit in named
            ]

        size = f"{self.rows:,} rows, {SHAPES['mixed'].what}, source, lake and target"
        self.contend(f"verify: {size}, equal", self.rows, contenders(0))
        step = max(1, self.rows // DIFFERENT)
        for database, name in [("source", table), ("target", "dbo.t")]:
            server.sql(database, f"UPDATE {name} SET Balance = Balance + 1 WHERE Id % {step} = 0")
        self.contend(f"verify: {size}, {DIFFERENT:,} rows differ in each comparison", self.rows, contenders(1))
        self.drop("mixed", self.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="where the release programs are")
    parser.add_argument("--python", help="a Python that has the baselines; without it they are left out")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--contenders", nargs="+", default=[], help="only those whose names contain one of these")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the mixed table")
    parser.add_argument("--most-commits", type=int, default=1_000, help="how far the case `commits` goes, up to 3000")
    parser.add_argument("--quick", action="store_true", help="100,000 rows, one run, no mixed10")
    parser.add_argument("--replay-mib", type=int, default=8192, help="memory for replayed results; 0: compute each")
    parser.add_argument("--source", help="read from this server instead: mssql://USER:PASSWORD@HOST:PORT/DATABASE")
    parser.add_argument("--source-table", default="dbo.t", help="with --source: the table; needs a column Modified")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.runs = min(arguments.rows, 100_000), 1
        arguments.most_commits = min(arguments.most_commits, 100)
        arguments.cases = [case for case in arguments.cases if case != "mixed10"]
    if arguments.source:
        arguments.cases = ["mixed"]
    work = Path(tempfile.mkdtemp(prefix="icehost-bench-"))
    bench = Bench(arguments, work)
    try:
        for case in arguments.cases:
            if case == "mixed10":
                bench.extract(case, "mixed", 10 * arguments.rows)
            elif case in SHAPES:
                bench.extract(case, case, max(1, int(arguments.rows * SHAPES[case].share)))
        if "lookback" in arguments.cases:
            bench.lookback()
        if "load" in arguments.cases:
            bench.load()
        if "verify" in arguments.cases:
            bench.verify()
        if "commits" in arguments.cases:
            commits(bench, [mark for mark in COMMITS if mark <= arguments.most_commits])
        if {"noop", "upsert"} & set(arguments.cases):
            bench.changes(arguments.cases)
    finally:
        if bench.server:
            bench.server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
