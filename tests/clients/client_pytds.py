"""Runs the client suite with python-tds, which is plain Python; without TLS, as it has no way to
trust a certificate unseen."""

import argparse

import pytds

import suite


def connect(server: argparse.Namespace) -> suite.Connection:
    return pytds.connect(
        dsn=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=server.database,
    )


if __name__ == "__main__":
    suite.main("python-tds", pytds, "%s", connect)
