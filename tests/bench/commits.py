"""What a table costs that has had many commits: a sync of one row, a sync that finds nothing, files of metadata,
and another engine's time to read it."""

import shutil
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Failed, Run

if TYPE_CHECKING:
    from bench import Bench

ROWS = 11_000
# A prime, so that rows are changed all over the table.
STRIDE = 7919


def files_of(directory: Path) -> tuple[int, int, int]:
    """Files below a directory, those of them that are manifests, and bytes of all."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    manifests = [path for path in files if path.suffix == ".avro" and not path.name.startswith("snap-")]
    return len(files), len(manifests), sum(path.stat().st_size for path in files)


def commits(bench: "Bench", marks: list[int]) -> None:
    """Syncs one changed row at a time, and measures at each of so many commits."""
    assert bench.server is not None
    server, lake = bench.server, bench.fresh("commits")
    table = bench.table("mixed", ROWS)
    server.sql("source", f"UPDATE {table} SET Modified = '2026-01-01'")
    bench.sync(table, lake, 0)
    made = 1

    def one_row() -> Run:
        nonlocal made
        made += 1
        moment = f"DATEADD(minute, {made}, '2026-01-01')"
        row = 1 + made * STRIDE % ROWS
        server.sql("source", f"UPDATE {table} SET Balance = Balance + 1, Modified = {moment} WHERE Id = {row}")
        return bench.sync(table, lake, 0)

    def told(runs: list[Run]) -> str:
        return " ".join(f"{statistics.median(getattr(run, of) for run in runs):7.3f}" for of in ("wall", "cpu"))

    def read() -> str:
        try:
            directory = lake / "bench" / "t"
            return told([bench.baseline("pyiceberg_read", directory) for _ in range(bench.runs)])
        except Failed as failure:
            return f"failed: {failure}"

    print(f"\ncommits: {ROWS:,} rows, one of them changed in each sync; wall and CPU seconds, medians of {bench.runs}")
    print(
        f"  {'commit':>7} {'one row':>15} {'nothing new':>15} {'PyIceberg reads':>15} "
        f"{'metadata files':>15} {'manifests':>10} {'MB':>8} {'data files':>11}"
    )
    for mark in marks:
        while made < mark:
            one_row()
        changed = told([one_row() for _ in range(bench.runs)])
        nothing = told([bench.sync(table, lake, 0) for _ in range(bench.runs)])
        files, manifests, size = files_of(lake / "bench" / "t" / "metadata")
        data, _, _ = files_of(lake / "bench" / "t" / "data")
        print(
            f"  {mark:>7,} {changed} {nothing} {read()} {files:>15,} {manifests:>10,} {size / 1e6:>8.1f} {data:>11,}",
            flush=True,
        )
    shutil.rmtree(lake, ignore_errors=True)
    bench.drop("mixed", ROWS)
