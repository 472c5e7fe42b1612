"""What strategies have in common: columns, errors and expressions. It is yours to change.

The contract's types are in `wit_world`, which `icehost plugin build` makes from `wit`.
"""

from functools import wraps

from wit_world.imports.types import (
    Column,
    ColumnRef,
    Compare,
    Comparison,
    Error,
    Expression,
    Failure,
    Node,
    Node_AllOf,
    Node_AnyOf,
    Node_Column,
    Node_Compare,
    Node_IsNull,
    Node_Literal,
    Node_Negate,
    Side,
    Value,
    Value_Binary,
    Value_Date,
    Value_Decimal,
    Value_Double,
    Value_Integer,
    Value_Time,
    Value_Timestamp,
    Value_TimestampTz,
)

from componentize_py_types import Err


def failure(kind: Failure, code: str, message: str, column: int | None = None) -> Err[Error]:
    """An error to raise; `code` is for machines and stays the same."""
    return Err(Error(kind, code, message, column))


def guarded(strategy: type) -> type:
    """The same class, whose exceptions become errors of the contract too: the host would not see what they say."""

    def guard(function):
        @wraps(function)
        def run(*shown):
            try:
                return function(*shown)
            except Err:
                raise
            except Exception as error:
                place = error.__traceback__
                while place.tb_next is not None:
                    place = place.tb_next
                code = place.tb_frame.f_code
                message = f"{type(error).__name__}: {error} ({code.co_filename}:{place.tb_lineno})"
                raise failure(Failure.INTERNAL, "exception", message) from error

        return run

    for name, function in list(vars(strategy).items()):
        if callable(function) and not name.startswith("_"):
            setattr(strategy, name, guard(function))
    return strategy


def find_column(columns: list[Column], name: str) -> int | None:
    """The position of the column with this name; failing that, of the only one whose name differs in case."""
    for id, column in enumerate(columns):
        if column.name == name:
            return id
    alike = [id for id, column in enumerate(columns) if column.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def require_column(owner: str, columns: list[Column], name: str) -> int:
    """Like `find_column`, with the error `no-column` that lists what there is."""
    id = find_column(columns, name)
    if id is None:
        raise failure(
            Failure.INVALID_OPTIONS,
            "no-column",
            f"{owner} has no column '{name}'; its columns are {names(columns)}",
        )
    return id


def names(columns: list[Column]) -> str:
    """The names of columns, for a message."""
    return ", ".join(f"'{column.name}'" for column in columns) or "none"


def key_names(columns: list[Column]) -> list[str]:
    """The names of the key columns, in key order."""
    key = [(column.key_position, column.name) for column in columns if column.key_position is not None]
    return [name for _, name in sorted(key)]


class Tree:
    """An expression as a tree. The contract wants a list in which operands stand before what refers to them."""

    def __init__(self, make, *operands: "Tree"):
        self.make = make
        self.operands = operands

    def __ge__(self, other: "Tree") -> "Tree":
        return self._compare(Comparison.GE, other)

    def __le__(self, other: "Tree") -> "Tree":
        return self._compare(Comparison.LE, other)

    def equals(self, other: "Tree") -> "Tree":
        return self._compare(Comparison.EQ, other)

    def is_null(self) -> "Tree":
        return Tree(Node_IsNull, self)

    def __and__(self, other: "Tree") -> "Tree":
        return Tree(lambda *ids: Node_AllOf(list(ids)), self, other)

    def __or__(self, other: "Tree") -> "Tree":
        return Tree(lambda *ids: Node_AnyOf(list(ids)), self, other)

    def __invert__(self) -> "Tree":
        return Tree(Node_Negate, self)

    def _compare(self, op: Comparison, other: "Tree") -> "Tree":
        return Tree(lambda left, right: Node_Compare(Compare(op, left, right)), self, other)

    def expression(self) -> Expression:
        """The contract's form."""
        nodes: list[Node] = []

        def add(tree: Tree) -> int:
            nodes.append(tree.make(*[add(operand) for operand in tree.operands]))
            return len(nodes) - 1

        root = add(self)
        return Expression(nodes, root)


def col(column: int) -> Tree:
    """A column of the source: the table that is read, or the delta of a merge."""
    return Tree(lambda: Node_Column(ColumnRef(Side.SOURCE, column)))


def lit(value: Value) -> Tree:
    """A constant; the host binds it as a parameter."""
    return Tree(lambda: Node_Literal(value))


def sort_value(value: Value):
    """What orders values of one kind; `None` where servers do not agree on an order.

    Text has an order for each collation, and NULL has none.
    """
    match value:
        case Value_Decimal(decimal):
            # Brought to the largest scale that there is.
            return ((decimal.high << 64) + decimal.low) * 10 ** (38 - decimal.scale)
        case Value_TimestampTz(zoned):
            return zoned.ticks
        case (
            Value_Integer(plain)
            | Value_Double(plain)
            | Value_Binary(plain)
            | Value_Date(plain)
            | Value_Time(plain)
            | Value_Timestamp(plain)
        ):
            return plain
    return None
