"""What every Python client of SQL Server must be able to do, whatever its parameter style.

`cases.json` gives each column's type and values as text (floats and bits as JSON numbers and
booleans); the suite writes them with parameters and wants the same values back.
"""

import argparse
import datetime as dt
import decimal
import faulthandler
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

BINARY = ("binary", "varbinary")
TICKS = ("time", "datetime2", "datetimeoffset")
SECONDS = 120


class Failure(Exception):
    """What a check found wrong."""


class Cursor(Protocol):
    """The part of a DB-API cursor that the suite uses."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> object: ...

    def fetchall(self) -> list[Sequence[Any]]: ...


class Connection(Protocol):
    """The part of a DB-API connection that the suite uses."""

    def cursor(self) -> Cursor: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class Driver(Protocol):
    """The part of a DB-API module that the suite uses."""

    @staticmethod
    def Binary(value: bytes, /) -> object: ...


@dataclass(frozen=True)
class Column:
    """A column of the suite's table and the texts of the values that go into it."""

    name: str
    type: str
    values: list[str | bool | float]

    @property
    def family(self) -> str:
        return self.type.split("(")[0]


def columns() -> list[Column]:
    def expand(value: Any) -> Any:
        return value["repeat"] * value["times"] if isinstance(value, dict) else value

    cases = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
    return [
        Column(column["name"], column["type"], [expand(value) for value in column["values"]])
        for column in cases["columns"]
    ]


def to_parameter(column: Column, text: Any, binary: Callable[[bytes], object]) -> object:
    """The Python value that a program would pass; text where Python lacks the seventh digit."""
    if text is None:
        return None
    match column.family:
        case "tinyint" | "smallint" | "int" | "bigint":
            return int(text)
        case "decimal" | "numeric" | "money" | "smallmoney":
            return decimal.Decimal(text)
        case "binary" | "varbinary":
            return binary(bytes.fromhex(text))
        case "date" | "datetime2" if text < "1753":
            # mssql-python refuses Python's earlier dates
            return text
        case "date":
            return dt.date.fromisoformat(text)
        case "datetime" | "smalldatetime":
            return dt.datetime.fromisoformat(text)
        case "time" if cut(text) == text[:-1] + "0":
            return dt.time.fromisoformat(text[:-1])
        case "datetime2" if cut(text) == text[:-1] + "0":
            return dt.datetime.fromisoformat(text[:-1])
        case "uniqueidentifier":
            return uuid.UUID(text)
    return text


def to_text(column: Column, value: Any) -> Any:
    """`value` as `cases.json` would put it, with six digits where Python has six."""
    if value is None:
        return None
    match column.family:
        case "bit":
            return bool(value)
        case "decimal" | "numeric" | "money" | "smallmoney":
            scale = {"money": 4, "smallmoney": 4}.get(column.family)
            if scale is None:
                scale = int(re.findall(r"\d+", column.type)[1])
            with decimal.localcontext(prec=50) as context:
                context.traps[decimal.Inexact] = True
                return f"{value.quantize(decimal.Decimal(1).scaleb(-scale)):f}"
        case "binary" | "varbinary":
            return bytes(value).hex()
        case "datetime":
            # 1/300 s reads as .123 or .123333, by the client
            rounded = value.replace(microsecond=0) + dt.timedelta(
                milliseconds=round(value.microsecond / 1000)
            )
            return rounded.isoformat(timespec="milliseconds")
        case "time" | "datetime2" | "datetimeoffset":
            return value.isoformat(timespec="microseconds")
        case "date" | "smalldatetime":
            return value.isoformat()
        case "real" | "float":
            return float(value)
    return str(value)


def cut(text: str) -> str:
    """A time's text with its seventh fractional digit taken off."""
    return re.sub(r"(\.\d{6})\d", r"\1", text)


class Suite:
    """Runs the checks on one connection and counts them."""

    def __init__(self, client: str, driver: Driver, placeholder: str, connection: Connection) -> None:
        self.client = client
        self.connection = connection
        self.placeholder = placeholder
        self.binary = driver.Binary
        self.table = f"[client {client}]"
        self.columns = columns()
        self.checks = 0

    def run(self) -> int:
        self.execute(f"IF OBJECT_ID(N'dbo.{self.table}') IS NOT NULL DROP TABLE dbo.{self.table}")
        self.connection.commit()
        definitions = ", ".join(f"[{column.name}] {column.type} NULL" for column in self.columns)
        self.execute(
            f"CREATE TABLE dbo.{self.table}"
            f" (id int NOT NULL PRIMARY KEY, {definitions}, c_rowversion rowversion)"
        )
        self.connection.commit()

        # Row 0 is all NULL; the others go round each column's values.
        rows: list[list[Any]] = [[None] * len(self.columns)]
        for number in range(max(len(column.values) for column in self.columns)):
            rows.append([column.values[number % len(column.values)] for column in self.columns])

        for number, texts in enumerate(rows):
            self.insert(number, texts)
        self.connection.commit()
        for number, texts in enumerate(rows):
            self.read_back(number, texts)
            if number:
                self.compare_on_server(number, texts)
        self.filter_by_parameters(rows)
        self.update_moves_rowversion()
        self.rollback_undoes()

        self.execute(f"DROP TABLE dbo.{self.table}")
        self.connection.commit()
        return self.checks

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Cursor:
        cursor = self.connection.cursor()
        try:
            if parameters:
                cursor.execute(sql.replace("?", self.placeholder), tuple(parameters))
            else:
                cursor.execute(sql)
        # Each driver has its own error classes; all end the same way here.
        except Exception as error:
            raise Failure(f"{error}\nstatement: {sql}\nparameters: {shown(parameters)}") from error
        return cursor

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Sequence[Any]]:
        cursor = self.execute(sql, parameters)
        try:
            return cursor.fetchall()
        except Exception as error:
            raise Failure(f"{error}\nreading the result of: {sql}") from error

    def check(self, what: str, found: object, wanted: object) -> None:
        self.checks += 1
        if found != wanted:
            raise Failure(f"{what}: wanted {shown(wanted)}, found {shown(found)}")

    def insert(self, number: int, texts: list[Any]) -> None:
        # An untyped NULL travels as nvarchar, which SQL Server does not convert to binary by itself.
        markers = [
            f"CAST(? AS {column.type})"
            if column.family == "datetimeoffset" or (text is None and column.family in BINARY)
            else "?"
            for column, text in zip(self.columns, texts, strict=True)
        ]
        names = ", ".join(f"[{column.name}]" for column in self.columns)
        parameters = [
            to_parameter(column, text, self.binary) for column, text in zip(self.columns, texts, strict=True)
        ]
        self.execute(
            f"INSERT INTO dbo.{self.table} (id, {names}) VALUES (?, {', '.join(markers)})",
            [number, *parameters],
        )

    def read_back(self, number: int, texts: list[Any]) -> None:
        rows = self.query(f"SELECT * FROM dbo.{self.table} WHERE id = ?", [number])
        self.check(f"rows with id {number}", len(rows), 1)
        self.check("id", rows[0][0], number)
        for column, wanted, value in zip(self.columns, texts, rows[0][1:-1], strict=True):
            if column.family in TICKS and wanted is not None:
                wanted = cut(wanted)
            self.check(f"row {number}, {column.name} {column.type}", to_text(column, value), wanted)

    def compare_on_server(self, number: int, texts: list[Any]) -> None:
        """The seventh digit, which Python's types cannot show, is there in the table."""
        for column, text in zip(self.columns, texts, strict=True):
            if column.family in TICKS:
                rows = self.query(
                    f"SELECT COUNT(*) FROM dbo.{self.table}"
                    f" WHERE id = ? AND [{column.name}] = CAST(? AS {column.type})",
                    [number, text],
                )
                self.check(f"row {number}, {column.name} equal to {text}", rows[0][0], 1)

    def filter_by_parameters(self, rows: list[list[Any]]) -> None:
        position = {column.name: at for at, column in enumerate(self.columns)}
        text, number = rows[1][position["c_nvarchar"]], int(rows[1][position["c_bigint"]])
        wanted = [
            (at,)
            for at, values in enumerate(rows)
            if values[position["c_nvarchar"]] == text and int(values[position["c_bigint"]]) >= number
        ]
        found = self.query(
            f"SELECT id FROM dbo.{self.table} WHERE c_nvarchar = ? AND c_bigint >= ? ORDER BY id",
            [text, number],
        )
        self.check("ids found by text and number", [tuple(row) for row in found], wanted)
        found = self.query(f"SELECT id FROM dbo.{self.table} WHERE c_int > ? OR c_int IS NULL", [2**31 - 1])
        self.check("ids found by NULL", [tuple(row) for row in found], [(0,)])

    def update_moves_rowversion(self) -> None:
        sql = f"SELECT c_rowversion FROM dbo.{self.table} ORDER BY id"
        before = [bytes(row[0]) for row in self.query(sql)]
        self.check("rowversions rise", sorted(set(before)), before)
        cursor = self.execute(f"UPDATE dbo.{self.table} SET c_int = ? WHERE id = ?", [7, 1])
        self.check("rows updated", cursor.rowcount, 1)
        self.connection.commit()
        after = [bytes(row[0]) for row in self.query(sql)]
        self.check("rowversion of the updated row is the greatest", max(after), after[1])
        self.check("rowversions of the others stay", after[2:], before[2:])

    def rollback_undoes(self) -> None:
        everything = f"SELECT COUNT(*) FROM dbo.{self.table}"
        before = self.query(everything)[0][0]
        self.connection.commit()
        self.execute(f"DELETE FROM dbo.{self.table} WHERE id > ?", [0])
        self.check("rows left by the delete", self.query(everything)[0][0], 1)
        self.connection.rollback()
        self.check("rows after rollback", self.query(everything)[0][0], before)


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def main(
    client: str, driver: Driver, placeholder: str, connect: Callable[[argparse.Namespace], Connection]
) -> None:
    """Runs the suite with the server that the command line names."""
    parser = argparse.ArgumentParser(description=f"Checks a SQL Server by way of {client}.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--database", default="master")
    parser.add_argument("--plain", action="store_true", help="for a server that has no TLS")
    arguments = parser.parse_args()

    # A server that leaves a driver waiting must fail the check, not hang it.
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        connection = connect(arguments)
        checks = Suite(client, driver, placeholder, connection).run()
        connection.close()
    except Exception as error:
        print(f"error: {client}: {error}", file=sys.stderr, flush=True)
        # No orderly exit: a driver's destructor may wait for the server, too.
        os._exit(1)
    print(f"ok {client} {version(client)}: {checks} checks")
