"""Several transactions of pymssql at once: writers of one table side by side, a reader of a snapshot between them."""

import sys

import pymssql

HOST, PORT, USER, PASSWORD = sys.argv[1:5]


def connect():
    return pymssql.connect(
        server=HOST, port=int(PORT), user=USER, password=PASSWORD, database="master", autocommit=True
    )


def run(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    return cursor


def value(connection, sql):
    return run(connection, sql).fetchone()[0]


main, reader = connect(), connect()
run(main, "CREATE TABLE late (id int NOT NULL PRIMARY KEY, at datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), v rowversion)")
writers = [connect() for _ in range(5)]
for number, writer in enumerate(writers):
    run(writer, "SET LOCK_TIMEOUT 2000")
    run(writer, f"BEGIN TRANSACTION INSERT INTO late (id) VALUES ({number})")
run(reader, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
count = "SELECT COUNT(*) FROM late"
assert value(reader, count) == 0, "nothing is committed"
# The last that wrote commits first; what is seen is below the lowest that is open.
below = "SELECT COUNT(*) FROM late WHERE v < MIN_ACTIVE_ROWVERSION()"
for done, writer in enumerate(reversed(writers), start=1):
    run(writer, "COMMIT")
    assert value(reader, count) == done
    assert value(reader, below) == (5 if done == 5 else 0)
first, second = writers[:2]
run(first, "BEGIN TRANSACTION UPDATE late SET at = '2026-01-01' WHERE id = 0")
run(second, "SET LOCK_TIMEOUT 50")
run(second, "UPDATE late SET at = '2026-01-02' WHERE id = 1")
for blocked in ("UPDATE late SET at = '2026-01-02' WHERE id = 0", "SELECT at FROM late WHERE id = 0", count):
    try:
        run(second, blocked).fetchall()
    except pymssql.Error as error:
        assert "1222" in str(error), error
    else:
        raise AssertionError(f"{blocked} did not wait")
run(first, "ROLLBACK")
assert value(second, count) == 5
print("ok transactions")
