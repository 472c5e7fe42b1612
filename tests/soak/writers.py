"""Users of the source: transactions of up to five seconds that overlap and commit out of order."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytds

# Errors that a user tries again after: deadlock, lock timeout, update conflict
PASSING = {1205, 1222, 3960}
LONGEST = 5.0


@dataclass
class Counts:
    """What all writers did."""

    transactions: int = 0
    rolled_back: int = 0
    rows: int = 0
    longest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Writer(threading.Thread):
    """Inserts and changes rows of one table, and deletes some where its pipeline sees that."""

    def __init__(
        self, connect: Callable[[], pytds.Connection], table: str, deletes: bool, seed: int, world: "World"
    ) -> None:
        super().__init__(daemon=True)
        self.connect, self.table, self.deletes, self.world = connect, table, deletes, world
        self.random = random.Random(seed)

    def run(self) -> None:
        connection = self.connect()
        while not self.world.over.is_set():
            with self.world.gate:
                self.transaction(connection)
            time.sleep(self.random.uniform(0, 0.1))

    def transaction(self, connection: pytds.Connection) -> None:
        began = time.monotonic()
        # Most are short; some take seconds.
        length = self.random.choice([0, 0, 0, 0.1, 1, LONGEST * 0.9])
        writes = self.random.randint(1, 4)
        cursor = connection.cursor()
        rows = 0
        try:
            for _ in range(writes):
                rows += self.write(cursor)
                time.sleep(self.random.uniform(0, length / writes))
            if self.random.random() < 0.1:
                connection.rollback()
                rows = 0
                committed = False
            else:
                connection.commit()
                committed = True
        except pytds.Error as error:
            if getattr(error, "number", None) not in PASSING:
                raise
            connection.rollback()
            rows, committed = 0, False
        counts = self.world.counts
        with counts.lock:
            counts.transactions += committed
            counts.rolled_back += not committed
            counts.rows += rows
            counts.longest = max(counts.longest, time.monotonic() - began)

    def write(self, cursor: pytds.Cursor) -> int:
        key = self.random.randint(1, self.world.keys)
        note = "".join(self.random.choices("abcäöü ", k=self.random.randint(0, 20)))
        amount = self.random.randint(-(10**9), 10**9) / 100
        if self.deletes and self.random.random() < 0.15:
            cursor.execute(f"DELETE FROM {self.table} WHERE Id = %d" % key)
            return 1
        cursor.execute(
            f"UPDATE {self.table} SET Amount = %s, Note = %s, Changed = SYSUTCDATETIME() WHERE Id = {key}"
            f" IF @@ROWCOUNT = 0 INSERT INTO {self.table} (Id, Amount, Note, Changed)"
            f" VALUES ({key}, %s, %s, SYSUTCDATETIME())",
            (str(amount), note, str(amount), note),
        )
        return 1


class Gate:
    """Lets writers through one transaction at a time each, and can be closed until all have come out."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.inside, self.open = 0, True

    def __enter__(self) -> None:
        with self.condition:
            self.condition.wait_for(lambda: self.open)
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.condition:
            self.inside -= 1
            self.condition.notify_all()

    def close(self) -> None:
        with self.condition:
            self.open = False
            self.condition.wait_for(lambda: self.inside == 0)

    def reopen(self) -> None:
        with self.condition:
            self.open = True
            self.condition.notify_all()


@dataclass
class World:
    """What writers, runs and maintenance share."""

    keys: int
    gate: Gate = field(default_factory=Gate)
    over: threading.Event = field(default_factory=threading.Event)
    counts: Counts = field(default_factory=Counts)
