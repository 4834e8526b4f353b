"""Answers to the commands of one driver's connection."""

import time

import psycopg

from tests.stack.tools.mongo_gateway.codes import Answer, Document, Refused, mongo_code, with_prefix
from tests.stack.tools.mongo_gateway.engine import WRITES, Call
from tests.stack.tools.mongo_gateway.store import Connection, Key, Store

CONFLICT_REPEATS = 10
OLD_NAMES = {
    "findandmodify": "findAndModify",
    "isMaster": "hello",
    "ismaster": "hello",
    "deleteIndexes": "dropIndexes",
    "buildinfo": "buildInfo",
}
FIXED: dict[str, Document] = {
    "ping": {"ok": 1.0},
    "refreshSessions": {"ok": 1.0},
    "killAllSessions": {"ok": 1.0},
    "buildInfo": {
        "version": "7.0.0",
        "versionArray": [7, 0, 0, 0],
        "gitVersion": "documentdb",
        "bits": 64,
        "maxBsonObjectSize": 16 << 20,
        "ok": 1.0,
    },
    "connectionStatus": {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []}, "ok": 1.0},
    "serverStatus": {"version": "7.0.0", "process": "mongod", "storageEngine": {"name": "wiredTiger"}, "ok": 1.0},
    "getParameter": {"featureCompatibilityVersion": {"version": "7.0"}, "ok": 1.0},
}


class Client:
    def __init__(self, store: Store) -> None:
        self.store = store
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self.store.connect()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self.store.give_back(self._connection)

    def answer(self, command: Document) -> Answer:
        name = OLD_NAMES.get(next(iter(command)), next(iter(command)))
        in_transaction = command.get("autocommit") is False
        try:
            return self._answer(name, command, in_transaction=in_transaction)
        except Refused as error:
            return _failure(error.code, error.name, str(error), in_transaction=in_transaction)
        except psycopg.Error as error:
            code, title = mongo_code(error.sqlstate)
            text = with_prefix(code, f"{error.diag.message_primary or error} [{error.sqlstate}]")
            return _failure(code, title, text, in_transaction=in_transaction)

    def _answer(self, name: str, command: Document, *, in_transaction: bool) -> Answer:
        if name in FIXED:
            return FIXED[name]
        if name == "hello":
            return self._hello()
        if name == "killCursors":
            return self._kill_cursors(command["cursors"])
        if name in ("endSessions", "killSessions"):
            return self._end_sessions(command[next(iter(command))])
        key = (bytes(command["lsid"]["id"]), command["txnNumber"]) if "txnNumber" in command else None
        if name in ("commitTransaction", "abortTransaction"):
            return self._finish(key, commit=name == "commitTransaction")
        if in_transaction:
            assert key is not None
            return self._run_inside(key, name, command)
        if key and key in self.store.answers:
            return self.store.answers[key]
        answer = self._run_alone(name, command)
        if key:
            self.store.remember(key, answer)
        return answer

    def _run_alone(self, name: str, command: Document) -> Answer:
        """Run a command outside of transactions: as in mongod again, if a conflict with another writer let it write nothing."""
        call = Call(self.store, self.connection, name, command)
        answer = call.run()
        for _ in range(CONFLICT_REPEATS if name in WRITES else 0):
            if answer.get("n") or [error["code"] for error in answer.get("writeErrors", ())] != [112]:
                break
            answer = call.run()
        return answer

    def _run_inside(self, key: Key, name: str, command: Document) -> Answer:
        if command.get("startTransaction"):
            self.store.begin(key)
        transaction = self.store.transactions.get(key)
        if transaction is None:
            raise Refused(251, "NoSuchTransaction", f"Given transaction number {key[1]} does not match any in-progress transactions.")
        transaction.used_at = time.monotonic()
        try:
            answer = Call(self.store, transaction.connection, name, command).run()
        except (psycopg.Error, Refused):
            self.store.roll_back(key)
            raise
        if answer.get("writeErrors"):  # a failed write ends a transaction, as in mongod
            error = answer["writeErrors"][0]
            self.store.roll_back(key)
            if error["code"] == 112:
                raise Refused(112, "WriteConflict", error["errmsg"])
        return answer

    def _finish(self, key: Key | None, *, commit: bool) -> Answer:
        if key is None or key not in self.store.transactions:
            if key and commit and key in self.store.answers:
                return self.store.answers[key]  # a commit that is tried again
            raise Refused(251, "NoSuchTransaction", "no such transaction")
        answer: Document = {"ok": 1.0}
        if commit:
            self.store.commit(key)
            self.store.remember(key, answer)
        else:
            self.store.roll_back(key)
        return answer

    def _hello(self) -> Document:
        me = f"127.0.0.1:{self.store.port}"
        return {
            "helloOk": True,
            "isWritablePrimary": True,
            "ismaster": True,
            "secondary": False,
            "readOnly": False,
            "setName": "rs0",
            "setVersion": 1,
            "hosts": [me],
            "me": me,
            "primary": me,
            "maxBsonObjectSize": 16 << 20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 25_000,
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "ok": 1.0,
        }

    def _end_sessions(self, sessions: list[Document]) -> Document:
        ended = {bytes(session["id"]) for session in sessions}
        for key in [key for key in self.store.transactions if key[0] in ended]:
            self.store.roll_back(key)
        return {"ok": 1.0}

    def _kill_cursors(self, cursors: list[int]) -> Document:
        killed = [cursor for cursor in cursors if self.store.cursors.pop(cursor, None) is not None]
        unknown = [cursor for cursor in cursors if cursor not in killed]
        return {"cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": [], "ok": 1.0}


def _failure(code: int, name: str, message: str, *, in_transaction: bool) -> Document:
    labels = ["TransientTransactionError"] if in_transaction and code in (112, 251) else []
    return {"ok": 0.0, "errmsg": message, "code": code, "codeName": name, **({"errorLabels": labels} if labels else {})}
