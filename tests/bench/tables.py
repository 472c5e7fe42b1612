"""The shapes of tables that are measured: columns, and a query that makes their rows."""

from dataclasses import dataclass

MODIFIED = "DATEADD(second, value % 86400000, '2020-01-01')"


@dataclass(frozen=True)
class Shape:
    what: str
    columns: str
    values: str
    # How many rows stand for one row of the mixed table, so that cases take about as long.
    share: float

    def create(self, table: str) -> str:
        return f"CREATE TABLE {table} ({self.columns})"

    def insert(self, table: str, first: int, last: int) -> str:
        return f"INSERT INTO {table} SELECT {self.values} FROM GENERATE_SERIES({first}, {last})"


def wide(columns: int) -> Shape:
    kinds = [
        ("int", "value + {n}"),
        ("bigint NULL", "CAST(value AS bigint) * {n}"),
        ("decimal(18,4)", "CAST(value AS decimal(18,4)) / 7"),
        ("float", "value / 3.0"),
        ("nvarchar(20)", "CONCAT(N'text ', value % 1000)"),
        ("datetime2(3)", "DATEADD(second, value, '2020-01-01')"),
    ]
    picked = [(n, *kinds[n % len(kinds)]) for n in range(1, columns - 1)]
    return Shape(
        f"{columns} columns",
        "Id int NOT NULL PRIMARY KEY, Modified datetime2(7) NOT NULL, "
        + ", ".join(f"C{n} {kind}" for n, kind, _ in picked),
        f"value, {MODIFIED}, " + ", ".join(value.format(n=n) for n, _, value in picked),
        0.1,
    )


SHAPES = {
    "mixed": Shape(
        "12 mixed columns",
        """Id int NOT NULL PRIMARY KEY, Name nvarchar(100) NOT NULL, City nvarchar(50) NULL,
        Code uniqueidentifier NOT NULL, Price decimal(18,4) NOT NULL, Balance decimal(19,4) NOT NULL,
        Ratio float NOT NULL, Active bit NOT NULL, Born date NOT NULL, Visits bigint NOT NULL,
        Created datetime2(3) NOT NULL, Modified datetime2(7) NOT NULL""",
        f"""value, CONCAT(N'customer name ', value), CASE WHEN value % 5 = 0 THEN NULL ELSE N'some city' END,
        NEWID(), CAST(value AS decimal(18,4)) / 7, CAST(value AS decimal(19,4)) / 4, value / 3.0, value % 2,
        DATEADD(day, value % 20000, '1970-01-01'), CAST(value AS bigint) * 1000003,
        DATEADD(second, value, '2020-01-01'), {MODIFIED}""",
        1,
    ),
    "wide": wide(100),
    "narrow": Shape(
        "3 columns",
        "Id int NOT NULL PRIMARY KEY, Amount bigint NOT NULL, Modified datetime2(7) NOT NULL",
        f"value, CAST(value AS bigint) * 1000003, {MODIFIED}",
        2,
    ),
    "text": Shape(
        "8 text columns",
        "Id int NOT NULL PRIMARY KEY, Modified datetime2(7) NOT NULL, A nvarchar(200), B nvarchar(200), "
        "C varchar(200), D varchar(200), E nvarchar(400), F varchar(400)",
        f"""value, {MODIFIED}, CONCAT(N'first name \u00e9 ', value), CONCAT(N'last name ', value % 5000),
        CONCAT('code ', value % 100), CONCAT('street and number ', value), REPLICATE(N'words ', 1 + value % 40),
        REPLICATE('plain ', 1 + value % 40)""",
        0.4,
    ),
    "max": Shape(
        "varchar(max) and varbinary(max) of some KB",
        "Id int NOT NULL PRIMARY KEY, Modified datetime2(7) NOT NULL, Note varchar(max) NULL, Data varbinary(max) NULL",
        f"""value, {MODIFIED}, REPLICATE('a note of some length ', 50 + value % 200),
        CAST(REPLICATE('bytes ', 300 + value % 900) AS varbinary(max))""",
        0.04,
    ),
}
