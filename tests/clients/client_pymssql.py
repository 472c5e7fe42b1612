"""Runs the client suite with pymssql (FreeTDS's DB-Library)."""

import argparse

import pymssql

import suite


def connect(server: argparse.Namespace) -> suite.Connection:
    return pymssql.connect(
        server=server.host,
        port=str(server.port),
        user=server.user,
        password=server.password,
        database=server.database,
        tds_version="7.4",
        charset="UTF-8",
        encryption="off" if server.plain else "require",
    )


if __name__ == "__main__":
    suite.main("pymssql", pymssql, "%s", connect)
