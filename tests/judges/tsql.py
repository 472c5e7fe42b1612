"""Judges statements by Microsoft's own T-SQL parser.

    tsql.py PARSER snapshots                  every batch in a snapshot of a lowering
    tsql.py PARSER cases DIRECTORY [COUNT]    every statement that development servers recorded there; with
                                              COUNT, at least so many are there, and unjudged.toml is checked
    tsql.py PARSER batch                      the batch on stdin

Prints each fault with its statement; exit code 1 where there is one.
"""

import pathlib
import sys
import tomllib

import statements
from scriptdom import Fault, Parser
from statements import Statement

UNJUDGED = pathlib.Path(__file__).with_name("unjudged.toml")


def judge(parser: Parser, judged: list[Statement], unjudged: list[dict]) -> tuple[int, list[dict]]:
    """Prints the faults; the number of statements that have some, and the entries that excused none."""
    faulty, unused = 0, list(unjudged)
    for statement in judged:
        faults = parser.faults(statement.text)
        if not faults:
            continue
        excuses = [entry for entry in unjudged if entry["text"] in statement.text]
        if excuses:
            unused = [entry for entry in unused if entry not in excuses]
            continue
        faulty += 1
        report(statement, faults)
    return faulty, unused


def report(statement: Statement, faults: list[Fault]) -> None:
    print(f"error: {statement.origin}")
    for fault in faults:
        print(f"  {fault}")
    for number, line in enumerate(statement.text.splitlines(), 1):
        print(f"  {number:4} | {line}")


def entries(of: str) -> list[dict]:
    """The entries of unjudged.toml for one kind of statement."""
    listed = tomllib.loads(UNJUDGED.read_text("utf-8")).get("statement", [])
    for entry in listed:
        if set(entry) != {"of", "text", "since"} or entry["of"] not in ("cases", "snapshots"):
            sys.exit(f"error: {UNJUDGED.name}: an entry has of (cases or snapshots), text and since: {entry}")
    return [entry for entry in listed if entry["of"] == of]


def main() -> None:
    assembly, what, *rest = sys.argv[1:]
    at_least, whole = 1, True
    match what, rest:
        case "snapshots", []:
            judged, unjudged = statements.of_snapshots(), entries(what)
        case "cases", [directory, *count] if len(count) < 2:
            judged, unjudged = statements.of_recordings(directory), entries(what)
            whole = bool(count)
            at_least = int(count[0]) if count else 0
        case "batch", []:
            judged, unjudged = [Statement("stdin", sys.stdin.read())], []
        case _:
            sys.exit(__doc__)
    faulty, unused = judge(Parser(assembly), judged, unjudged)
    if whole:
        for entry in unused:
            print(f"error: {UNJUDGED.name}: no {what} that the parser refuses have '{entry['text']}'")
    if len(judged) < at_least:
        print(f"error: {len(judged)} statements are there, and at least {at_least} are expected")
    print(f"{len(judged)} statements judged, {faulty} with faults")
    sys.exit(bool(faulty or (whole and unused) or len(judged) < at_least))


main()
