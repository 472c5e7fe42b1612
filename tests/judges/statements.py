"""Where the statements come from that the parser judges."""

import pathlib
import re
from typing import Iterator, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Crates whose snapshots hold T-SQL; and among them those that hold something else, by the start of their names.
CRATES = ["host/sqlserver", "host/sync"]
OTHER_SNAPSHOTS = ("endpoint__",)
# What a snapshot leaves out that shows a filter alone
SELECT = "SELECT [Id] FROM [dbo].[Customers]\n"


class Statement(NamedTuple):
    """One batch and where it comes from."""

    origin: str
    text: str


def of_snapshots() -> list[Statement]:
    """The batches in the snapshots of lowerings; an empty line stands between two."""
    found = []
    for crate in CRATES:
        for path in sorted((ROOT / crate).rglob("snapshots/*.snap")):
            if path.name.startswith(OTHER_SNAPSHOTS):
                continue
            _head, contents = re.split(r"^---$", path.read_text("utf-8"), maxsplit=2, flags=re.M)[1:]
            origin = str(path.relative_to(ROOT))
            for batch in re.split(r"\n[ \t]*\n", contents.strip()):
                text = re.sub(r"\A((?:DECLARE .*\n)*)(?=WHERE )", lambda m: m[1] + SELECT, batch)
                found.append(Statement(origin, text))
    return found


def of_recordings(directory: str) -> list[Statement]:
    """Each distinct statement that development servers recorded (demo/devserver/src/recording.rs).

    A statement with parameters is judged as it was sent, and its declarations as a procedure's, whose
    grammar is the same.
    """
    found: dict[str, Statement] = {}
    for path in sorted(pathlib.Path(directory).iterdir()):
        for declarations, text in _records(path):
            found.setdefault(text, Statement(f"sent, {path.name}", text))
            if declarations:
                procedure = f"CREATE PROCEDURE [p] {declarations} AS RETURN;"
                found.setdefault(procedure, Statement(f"declared, {path.name}", procedure))
    return list(found.values())


def _records(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """`D T\\n`, then D bytes of declarations and T bytes of text, again and again."""
    contents = path.read_bytes()
    at = 0
    while at < len(contents):
        end = contents.index(b"\n", at)
        declarations, text = map(int, contents[at:end].split())
        middle, after = end + 1 + declarations, end + 1 + declarations + text
        if after > len(contents):
            raise ValueError(f"{path} ends within a record")
        yield contents[end + 1 : middle].decode("utf-8"), contents[middle:after].decode("utf-8")
        at = after
