"""Runs the client suite with mssql-python, which carries Microsoft's ODBC driver."""

import argparse

import mssql_python

import suite


def connect(server: argparse.Namespace) -> suite.Connection:
    password = server.password.replace("}", "}}")
    return mssql_python.connect(
        f"Server=tcp:{server.host},{server.port};Database={server.database}"
        f";Uid={server.user};Pwd={{{password}}}"
        f";Encrypt={'no' if server.plain else 'yes'};TrustServerCertificate=yes"
    )


if __name__ == "__main__":
    suite.main("mssql-python", mssql_python, "?", connect)
