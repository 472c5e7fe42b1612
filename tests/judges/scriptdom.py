"""Microsoft's parser for T-SQL (ScriptDom 15.0.4451.1), with its grammars from SQL Server 2016 on.

It judges syntax alone: names and types are not bound.
"""

import json
import os
import pathlib
import tempfile
from typing import NamedTuple

# .NET asks for a system's ICU libraries otherwise.
os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"


class Fault(NamedTuple):
    """What one grammar finds in a text: `grammar` is a year or `Azure`, `line` and `column` count from 1."""

    grammar: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.grammar}: {self.line}:{self.column}: {self.message}"


class Parser:
    """The grammars, loaded once for a process."""

    def __init__(self, assembly: str) -> None:
        import dotnetcore2
        import pythonnet
        from clr_loader import get_coreclr

        root = pathlib.Path(dotnetcore2.__file__).parent / "bin"
        framework = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "runtime.json"
            config.write_text(json.dumps({"runtimeOptions": {"framework": framework}}))
            pythonnet.set_runtime(get_coreclr(runtime_config=str(config), dotnet_root=str(root)))
            import clr

            clr.AddReference(assembly)
        import Microsoft.SqlServer.TransactSql.ScriptDom as dom
        from System.IO import StringReader

        self._reader = StringReader
        # True: quoted identifiers are on, as they are for every client of ours.
        self._grammars = {
            "2016": dom.TSql130Parser(True),
            "2017": dom.TSql140Parser(True),
            "2019": dom.TSql150Parser(True),
            "Azure": dom.TSql150Parser(True, dom.SqlEngineType.SqlAzure),
        }

    def faults(self, text: str) -> list[Fault]:
        """What the grammars find in one batch; empty where all of them take it."""
        found = []
        for grammar, parser in self._grammars.items():
            # The second argument stands for the parameter that the method returns errors through.
            _tree, errors = parser.Parse(self._reader(text), None)
            found += [Fault(grammar, e.Line, e.Column, f"{e.Message} ({e.Number})") for e in errors]
        return found
