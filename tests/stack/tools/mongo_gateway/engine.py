"""Commands that the engine runs."""

from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from tests.stack.tools.mongo_gateway.codes import Answer, Document, Refused, code_of_packed, with_mongo_codes, with_prefix
from tests.stack.tools.mongo_gateway.store import Connection, Store

WRITES = {"insert": "insert", "update": "update", "delete": "delete", "findAndModify": "find_and_modify"}
FIRST_PAGE = {
    "find": "find_cursor_first_page",
    "aggregate": "aggregate_cursor_first_page",
    "listCollections": "list_collections_cursor_first_page",
    "listIndexes": "list_indexes_cursor_first_page",
}
ANSWERS = {
    "collMod": "coll_mod(%(database)s, %(argument)s, %(spec)s::bytea)::bytea",
    "collStats": "coll_stats(%(database)s, %(argument)s)::bytea",
    "count": "count_query(%(database)s, %(spec)s::bytea)::bytea",
    "dbStats": "db_stats(%(database)s)::bytea",
    "distinct": "distinct_query(%(database)s, %(spec)s::bytea)::bytea",
    "listDatabases": "list_databases(%(spec)s::bytea)::bytea",
}
"""Functions whose result is the answer."""
OF_THE_CALL = {
    *("$db", "lsid", "txnNumber", "startTransaction", "autocommit", "$clusterTime", "$readPreference", "readConcern", "writeConcern"),
    *("apiVersion", "apiStrict", "apiDeprecationErrors", "comment", "maxTimeMS"),
}
"""Fields of any command, which the engine does not know."""


class Call:
    """One command on one connection of PostgreSQL."""

    def __init__(self, store: Store, connection: Connection, name: str, command: Document) -> None:
        self.store, self.connection, self.name = store, connection, name
        self.spec = {key: value for key, value in command.items() if key not in OF_THE_CALL}
        self.argument = command[next(iter(command))]
        self.values = {"database": command.get("$db", "admin"), "argument": self.argument, "spec": bson.encode(self.spec)}

    def row(self, sql: str, **more: object) -> tuple[Any, ...]:
        found = self.connection.execute(sql, self.values | more, binary=True).fetchone()
        assert found is not None
        return found

    def run(self) -> Answer:
        if self.name in WRITES:
            (result,) = self.row(f"SELECT p_result::bytea FROM documentdb_api.{WRITES[self.name]}(%(database)s, %(spec)s::bytea)")
            return with_mongo_codes(bson.decode(result))
        if self.name in FIRST_PAGE:
            return self._first_page()
        if self.name in ANSWERS:
            return RawBSONDocument(self.row(f"SELECT documentdb_api.{ANSWERS[self.name]}")[0])
        if self.name in ("getMore", "create", "createIndexes", "dropIndexes", "drop", "dropDatabase", "renameCollection"):
            answer: Answer = getattr(self, f"_{self.name}")()
            return answer
        raise Refused(59, "CommandNotFound", f"no such command: '{self.name}'")

    def _first_page(self) -> Answer:
        page, rest, cursor = self.row(
            "SELECT cursorpage::bytea, continuation::bytea, cursorid "
            f"FROM documentdb_api.{FIRST_PAGE[self.name]}(%(database)s, %(spec)s::bytea)"
        )
        if rest is not None and cursor:
            self.store.cursors[cursor] = rest
        return RawBSONDocument(page)

    def _getMore(self) -> Answer:  # noqa: N802
        cursor = self.argument
        if cursor not in self.store.cursors:
            raise Refused(43, "CursorNotFound", f"cursor id {cursor} not found")
        page, rest = self.row(
            "SELECT cursorpage::bytea, continuation::bytea "
            "FROM documentdb_api.cursor_get_more(%(database)s, %(spec)s::bytea, %(rest)s::bytea)",
            rest=self.store.cursors[cursor],
        )
        if rest is None:
            self.store.cursors.pop(cursor, None)
        else:
            self.store.cursors[cursor] = rest
        return RawBSONDocument(page)

    def _create(self) -> Document:
        if len(self.spec) > 1:
            self.row("SELECT documentdb_api.create_collection_view(%(database)s, %(spec)s::bytea)::bytea")
        else:
            self.row("SELECT documentdb_api.create_collection(%(database)s, %(argument)s)")
        return {"ok": 1.0}

    def _createIndexes(self) -> Document:  # noqa: N802
        (packed,) = self.row("SELECT documentdb_api_internal.create_indexes_non_concurrently(%(database)s, %(spec)s::bytea, true)::bytea")
        answer: Document = bson.decode(packed)
        if "raw" in answer:
            answer = next(iter(answer["raw"].values()))
        if not answer.get("ok"):
            code, name = code_of_packed(answer.get("code", 0))
            if code != 11000:
                code, name = 67, "CannotCreateIndex"
            raise Refused(code, name, with_prefix(code, answer.get("errmsg", "")))
        return answer

    def _dropIndexes(self) -> Document:  # noqa: N802
        self.connection.execute("CALL documentdb_api.drop_indexes(%(database)s, %(spec)s::bytea, NULL)", self.values)
        return {"ok": 1.0}

    def _drop(self) -> Document:
        if not self.row("SELECT documentdb_api.drop_collection(%(database)s, %(argument)s)")[0]:
            raise Refused(26, "NamespaceNotFound", "ns not found")
        return {"ok": 1.0, "ns": f"{self.values['database']}.{self.argument}"}

    def _dropDatabase(self) -> Document:  # noqa: N802
        self.row("SELECT documentdb_api.drop_database(%(database)s)")
        return {"dropped": self.values["database"], "ok": 1.0}

    def _renameCollection(self) -> Document:  # noqa: N802
        (database, old), (_, new) = self.argument.split(".", 1), self.spec["to"].split(".", 1)
        self.connection.execute(
            "SELECT documentdb_api.rename_collection(%s, %s, %s, %s)", (database, old, new, bool(self.spec.get("dropTarget")))
        )
        return {"ok": 1.0}
