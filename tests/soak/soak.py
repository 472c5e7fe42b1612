"""Writers, runs that are killed, and PyIceberg's maintenance, all at once; now and then everything stops, and
source, lake and target are compared. Prints figures as one JSON object; exit code 1 where anything differs.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass, field

import pytds
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import AlwaysTrue

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "readers"))
from hadoop_catalog import HadoopCatalog  # noqa: E402
from writers import World, Writer  # noqa: E402

READERS = pathlib.Path(__file__).resolve().parent.parent / "readers"
PASSWORD = "S0ak-Password"
KEYS = 500
WRITERS = 3
# Seconds between two comparisons
ROUND = 60


@dataclass
class Pipeline:
    """A table on its way, with what its strategy sees."""

    table: str
    arguments: list[str]
    deletes: bool = False
    columns: str = ""
    runs: int = 0
    kills: int = 0
    failures: list[str] = field(default_factory=list)
    expired: int = 0
    rewritten: int = 0
    conflicts: int = 0
    comparisons: int = 0
    quiet: threading.Lock = field(default_factory=threading.Lock)

    @property
    def lake(self) -> str:
        return f"soak.{self.table.lower()}"


PIPELINES = [
    Pipeline("ByTime", ["--strategy", "timestamp", "--strategy-option", "column=Changed", "--merge", "upsert"]),
    Pipeline(
        "ByVersion", ["--strategy", "rowversion", "--merge", "upsert"], columns=", Version rowversion NOT NULL"
    ),
    Pipeline(
        "Whole",
        ["--strategy", "full-refresh", "--lake-merge", "upsert", "--lake-merge-option", "delete-missing=true"]
        + ["--merge", "upsert"],
        deletes=True,
    ),
]


class Soak:
    def __init__(self, programs: pathlib.Path, icehost: str, directory: pathlib.Path, seed: int) -> None:
        self.icehost, self.directory = programs / icehost, directory
        self.random = random.Random(seed)
        self.world = World(KEYS)
        self.wrong: list[str] = []
        server = [programs / "icehost-devserver", "--listen", "127.0.0.1:0", "--password", PASSWORD]
        server += ["--database", "Source", "--database", "Target", "--tls", "off"]
        log = open(directory / "server.log", "w")
        self.server = subprocess.Popen(server, stdout=subprocess.PIPE, stderr=log, text=True)
        address = self.server.stdout.readline().split()[-1]
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.verifies = subprocess.run([self.icehost, "verify", "--help"], capture_output=True).returncode == 0

    def connect(self, database: str = "Source", autocommit: bool = False) -> pytds.Connection:
        return pytds.connect(
            dsn=self.host, port=self.port, user="sa", password=PASSWORD, database=database, autocommit=autocommit
        )

    def url(self, database: str) -> str:
        return f"mssql://sa:{PASSWORD}@{self.host}:{self.port}/{database}?encrypt=false"

    def prepare(self) -> None:
        with self.connect("master", autocommit=True) as connection:
            connection.cursor().execute("ALTER DATABASE Source SET ALLOW_SNAPSHOT_ISOLATION ON")
        with self.connect(autocommit=True) as connection:
            for pipeline in PIPELINES:
                connection.cursor().execute(
                    f"CREATE TABLE dbo.{pipeline.table} (Id int NOT NULL PRIMARY KEY, Amount decimal(12,2) NOT NULL,"
                    f" Note nvarchar(40) NOT NULL, Changed datetime2(3) NOT NULL{pipeline.columns})"
                )

    def command(self, pipeline: Pipeline, subcommand: str = "sync") -> list[str]:
        command = [str(self.icehost), subcommand, "--source", self.url("Source")]
        command += ["--table", f"dbo.{pipeline.table}", "--warehouse", str(self.directory / "warehouse")]
        command += ["--lake-table", pipeline.lake, "--target", self.url("Target"), *pipeline.arguments]
        return command if subcommand == "verify" else [*command, "--create-target"]

    def lake_directory(self, pipeline: Pipeline) -> pathlib.Path:
        return self.directory / "warehouse" / pipeline.lake.replace(".", "/")

    def run(self, pipeline: Pipeline, kill: bool) -> bool:
        """One run; True where it succeeded. One that fails without being killed is noted."""
        process = subprocess.Popen(self.command(pipeline), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kill:
            time.sleep(self.random.uniform(0, 0.4))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
        pipeline.runs += 1
        if process.returncode == -signal.SIGKILL:
            pipeline.kills += 1
        elif process.returncode != 0:
            pipeline.failures.append(errors.strip()[-600:])
        return process.returncode == 0

    def runs(self, pipeline: Pipeline) -> None:
        while not self.world.over.is_set():
            with pipeline.quiet:
                self.run(pipeline, kill=self.random.random() < 0.3)
            time.sleep(self.random.uniform(0, 1))

    def maintenance(self) -> None:
        while not self.world.over.is_set():
            time.sleep(self.random.uniform(1, 8))
            pipeline = self.random.choice(PIPELINES)
            if not self.lake_directory(pipeline).joinpath("metadata").exists():
                continue
            try:
                self.maintain(pipeline)
            except (CommitFailedException, ValidationException):
                pipeline.conflicts += 1

    def maintain(self, pipeline: Pipeline) -> None:
        """PyIceberg rewrites all data, or forgets all snapshots but the current one."""
        table = HadoopCatalog(self.lake_directory(pipeline)).load()
        if table.current_snapshot() is None:
            return
        if self.random.random() < 0.5:
            table.overwrite(table.scan().to_arrow(), AlwaysTrue())
            pipeline.rewritten += 1
            return
        current = table.current_snapshot().snapshot_id
        old = [snapshot.snapshot_id for snapshot in table.metadata.snapshots if snapshot.snapshot_id != current]
        if old:
            table.maintenance.expire_snapshots().by_ids(old).commit()
            pipeline.expired += len(old)

    def read(self, script: str, *arguments: str) -> list[str]:
        command = [sys.executable, str(READERS / script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def sqlserver(self, database: str, table: str) -> list[str]:
        login = [self.host, str(self.port), "sa", PASSWORD]
        return self.read("read_sqlserver.py", *login, "--database", database, "--table", table)

    def compare(self, pipeline: Pipeline) -> None:
        """Runs until a run succeeds; then all three are equal, says everybody who reads them."""
        for _ in range(5):
            if self.run(pipeline, kill=False):
                break
        else:
            self.wrong.append(f"{pipeline.table}: five runs failed: {pipeline.failures[-1]}")
            return
        pipeline.comparisons += 1
        # The first line names the columns; a rowversion is bytes everywhere but in the source's type.
        source = self.sqlserver("Source", pipeline.table)
        lake = self.read("read_pyiceberg.py", str(self.lake_directory(pipeline)))
        target = self.sqlserver("Target", pipeline.table)
        for name, rows in [("lake", lake), ("target", target)]:
            missing, extra = set(source) - set(rows), set(rows) - set(source)
            if missing or extra or len(rows) != len(source):
                self.wrong.append(
                    f"{pipeline.table}: {name} has {len(rows)} rows for {len(source)};"
                    f" missing {sorted(missing)[:5]}, extra {sorted(extra)[:5]}"
                )
        if self.verifies:
            verified = subprocess.run(self.command(pipeline, "verify"), capture_output=True, text=True)
            if verified.returncode != 0:
                self.wrong.append(f"{pipeline.table}: verify: {verified.stdout[-800:]}{verified.stderr[-800:]}")

    def round(self) -> None:
        self.world.gate.close()
        for pipeline in PIPELINES:
            with pipeline.quiet:
                self.compare(pipeline)
        self.world.gate.reopen()

    def soak(self, minutes: float) -> None:
        self.prepare()
        threads = [threading.Thread(target=self.guarded, args=(self.maintenance,), daemon=True)]
        for number, pipeline in enumerate(PIPELINES):
            threads.append(threading.Thread(target=self.guarded, args=(self.runs, pipeline), daemon=True))
            for writer in range(WRITERS):
                seed = self.random.randrange(1 << 30) + number * WRITERS + writer
                table = f"dbo.{pipeline.table}"
                threads.append(Writer(self.connect, table, pipeline.deletes, seed, self.world))
        for thread in threads:
            thread.start()
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end and not self.wrong:
            time.sleep(max(0, min(ROUND, end - time.monotonic())))
            self.round()
        self.world.over.set()
        for thread in threads:
            thread.join(30)
        self.server.terminate()

    def guarded(self, work: object, *arguments: object) -> None:
        try:
            work(*arguments)
        except Exception:  # noqa: BLE001: whatever it is, the soak has failed
            self.wrong.append(traceback.format_exc())

    def figures(self, minutes: float) -> dict[str, object]:
        counts = self.world.counts
        return {
            "minutes": round(minutes, 1),
            "transactions": counts.transactions,
            "rolled_back": counts.rolled_back,
            "rows_written": counts.rows,
            "longest_transaction_s": round(counts.longest, 1),
            "verify": self.verifies,
            "pipelines": {
                pipeline.table: {
                    "runs": pipeline.runs,
                    "killed": pipeline.kills,
                    "failed": len(pipeline.failures),
                    "snapshots_expired": pipeline.expired,
                    "rewrites": pipeline.rewritten,
                    "lost_races": pipeline.conflicts,
                    "comparisons": pipeline.comparisons,
                }
                for pipeline in PIPELINES
            },
            "failures": sorted({failure for pipeline in PIPELINES for failure in pipeline.failures})[:10],
            "wrong": self.wrong,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where icehost and icehost-devserver are")
    parser.add_argument("--icehost", default="icehost", help="the name of the program under test")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(arguments.programs.absolute(), arguments.icehost, pathlib.Path(directory), arguments.seed)
        started = time.monotonic()
        try:
            soak.soak(arguments.minutes)
        finally:
            soak.server.kill()
        print(json.dumps(soak.figures((time.monotonic() - started) / 60), indent=2, ensure_ascii=False))
    sys.exit(bool(soak.wrong))


main()
