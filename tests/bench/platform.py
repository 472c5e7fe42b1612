"""Times what strategies cost: components as they are loaded and as they plan, rows as they go through transformers
in each language and through native column rules, and a hundred tenants in one run.

Wall and CPU (user + system) seconds and peak resident memory are those of the measured `icehost` process. Ratios
are to the same sync without anything in the way, in the same run.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import Bench, lake_records
from measure import Run, measure
from tables import MODIFIED, SHAPES, Shape

CASES = ["load", "transform", "tenants"]
LANGUAGES = ["rust", "javascript", "python", "c"]

SHAPES["people"] = Shape(
    "5 columns, one of them an address",
    """Id int NOT NULL PRIMARY KEY, TenantId int NOT NULL, Email nvarchar(100) NOT NULL, Amount decimal(18,4) NULL,
    Modified datetime2(7) NOT NULL""",
    f"""value, value % 100, CONCAT(N'customer', value, N'@shop', value % 100, N'.example.com'),
    CAST(value AS decimal(18,4)) / 7, {MODIFIED}""",
    1,
)


class Platform(Bench):
    def component(self, kind: str, language: str) -> Path | None:
        """What `plugin new` makes, built; none where the language's tools are missing."""
        directory = self.work / f"{kind}-{language}"
        packages = self.work / "node_modules"
        tool = shutil.which("componentize-js")
        if tool and not packages.exists():
            # What the strategies import is beside the tool, and looked for above them.
            packages.symlink_to(Path(tool).parent.parent)
        component = directory.with_suffix(".wasm")
        if not component.exists():
            for command in (
                ["new", directory, "--kind", kind, "--lang", language],
                ["build", directory, "--out", component],
            ):
                run = subprocess.run([self.icehost, "plugin", *command], capture_output=True, text=True)
                if run.returncode != 0:
                    why = run.stderr.strip().splitlines()[0] if run.stderr.strip() else run.returncode
                    print(f"  .. {kind} in {language} is left out: {why}", file=sys.stderr)
                    return None
        return component

    def load(self) -> None:
        print("\nload: components and plans")
        print(
            f"  {'':<36} {'KiB':>8} {'compile ms':>11} {'cached ms':>10} {'start ms':>9} {'answer ms':>10} {'MiB':>6} {'fuel':>12} {'rows/s':>12} {'MiB':>6}"
        )
        shipped = json.loads(subprocess.run([self.icehost, "plugin", "list", "--output", "json"], capture_output=True, text=True, check=True).stdout)
        plugins = Path(__file__).parents[2] / "plugins"
        for strategy in shipped["strategies"]:
            name = strategy["name"]
            self.costs(name, [name, "--cases", plugins / name / "cases"])
        for kind in ("change-detector", "merger", "batch-transformer"):
            for language in LANGUAGES:
                component = self.component(kind, language)
                if component:
                    self.costs(f"{kind} in {language}", [component, "--cases", self.work / f"{kind}-{language}" / "cases"])

    def costs(self, name: str, arguments: list[str | Path]) -> None:
        command = [self.icehost, "plugin", "bench", *arguments, "--runs", "20", "--output", "json"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            print(f"  {name:<36} failed: {run.stderr.strip()}")
            return
        costs = json.loads(run.stdout)
        cases = costs["cases"]

        def middle(key: str) -> float:
            values = [case[key] for case in cases if case[key] is not None]
            return statistics.median(values) if values else float("nan")

        print(
            f"  {name:<36} {costs['size'] / 1024:8.0f} {costs['compile_ms']:11.0f} {costs['load_from_cache_ms']:10.1f} "
            f"{costs['instantiate_ms']:9.3f} {middle('median_ms'):10.2f} {middle('memory') / 2**20:6.1f} {middle('fuel'):12,.0f} "
            f"{middle('rows_per_second'):12,.0f} {middle('instance_memory') / 2**20:6.1f}",
            flush=True,
        )

    def transform(self) -> None:
        table = self.table("people", self.rows)

        def sync(*more: str | Path) -> Run:
            lake = self.fresh("lake")
            run = measure(
                [self.icehost, "sync", "--output", "json", "--source", self.source, "--table", table,
                 "--warehouse", lake, "--lake-table", "bench.t", "--strategy", "timestamp",
                 "--strategy-option", "column=Modified", "--merge", "upsert", *more],
                os.environ | {"BENCH_HASH_KEY": "a key of sixteen bytes or more"},
            )  # fmt: skip
            run.report["rows"] = lake_records(lake / "bench" / "t")
            return run

        of_email = ["--transform-option", "column=Email"]
        contenders = [
            ("*nothing in the way", lambda: sync()),
            ("rule: truncate", lambda: sync("--column-rule", "Email=truncate:10")),
            ("rule: hash", lambda: sync("--column-rule", "Email=hash", "--hash-key-env", "BENCH_HASH_KEY")),
            ("mask", lambda: sync("--transform", "mask", "--transform-option", "columns=Email", "--transform-option", "until=@")),
            ("tenant-filter that keeps all",
             lambda: sync("--transform", "tenant-filter", "--transform-option", "tenants=" + ",".join(map(str, range(100))))),
        ]  # fmt: skip
        for language in LANGUAGES:
            component = self.component("batch-transformer", language)
            if component:
                # A fresh name for each, since the loop's variable moves on
                contenders.append(
                    (f"domain of an address, in {language}", lambda c=component: sync("--transform", c, *of_email))
                )
        self.contend(f"transform: {self.rows:,} rows of 5 columns, source -> Iceberg", self.rows, contenders)

    def tenants(self) -> None:
        each = max(1, self.rows // 1000)
        table = self.table("people", each * 100)

        def sync(count: int) -> Run:
            lake = self.fresh("lake")
            file = self.work / "icehost.toml"
            file.write_text(
                f'warehouse = "{lake}"\n[connections.shop]\nurl = "{self.source}"\nallow-inline-secret = true\n'
                '[pipelines.orders]\ntenants = "all"\nsource = "shop"\n'
                f'table = "{table}"\nstrategy = "timestamp"\nstrategy-options = {{ column = "Modified" }}\nmerge = "upsert"\n'
                'transform = ["tenant-filter", "mask"]\n'
                'transform-options = { mask = { columns = ["Email"], until = "@" } }\n'
                + "".join(
                    f'[tenants.t{n}]\nlake-namespace = "t{n}"\n'
                    f'transform-options = {{ tenant-filter = {{ tenants = ["{n}"] }}, mask = {{ columns = ["Email"], until = "@" }} }}\n'
                    for n in range(count)
                )
            )
            run = measure([self.icehost, "sync", "--config", file, "--jobs", "4", "--output", "json"], dict(os.environ))
            name = table.split(".")[1]
            run.report["rows"] = sum(lake_records(lake / f"t{n}" / name) for n in range(count))
            return run

        self.contend(
            f"tenants: each reads {each * 100:,} rows and keeps {each:,}; four at a time",
            None,
            [("*1 tenant", lambda: sync(1)), ("10 tenants", lambda: sync(10)), ("100 tenants", lambda: sync(100))],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="where the release programs are")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--contenders", nargs="+", default=[], help="only those whose names contain one of these")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    arguments.python = arguments.source = None
    arguments.source_table = "dbo.t"
    arguments.replay_mib = 8192
    work = Path(tempfile.mkdtemp(prefix="icehost-bench-"))
    bench = Platform(arguments, work)
    try:
        for case in arguments.cases:
            getattr(bench, case)()
    finally:
        bench.server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
