"""What outlives the connection of one client: cursors, open transactions, answers to retryable writes."""

import collections
import dataclasses
import select
import threading
import time
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from tests.stack.tools.mongo_gateway.codes import Answer

TRANSACTION_SECONDS = 60
"""As transactionLifetimeLimitSeconds of a mongod."""
KEPT_ANSWERS = 20_000
KEPT_CONNECTIONS = 20

Connection = psycopg.Connection[tuple[Any, ...]]
Key = tuple[bytes, int]
"""A session's id and the number of one of its transactions or retryable writes."""


@dataclasses.dataclass
class Transaction:
    connection: Connection
    used_at: float


class Store:
    def __init__(self, dsn: str, port: int) -> None:
        self.dsn, self.port = dsn, port
        self.lock = threading.Lock()
        self.cursors: dict[int, bytes] = {}
        self.transactions: dict[Key, Transaction] = {}
        self.answers: collections.OrderedDict[Key, Answer] = collections.OrderedDict()
        self.idle: list[Connection] = []
        """For the next transactions and clients: the engine needs longer to start with a new one than for most transactions."""

    def connect(self) -> Connection:
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return psycopg.connect(self.dsn, autocommit=True)
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()  # nothing was asked, so what came is the end of an engine that has crashed since

    def give_back(self, connection: Connection) -> None:
        if connection.info.transaction_status == TransactionStatus.IDLE and len(self.idle) < KEPT_CONNECTIONS:
            self.idle.append(connection)
        else:
            connection.close()

    def remember(self, key: Key, answer: Answer) -> None:
        with self.lock:
            self.answers[key] = answer
            while len(self.answers) > KEPT_ANSWERS:
                self.answers.popitem(last=False)

    def begin(self, key: Key) -> None:
        connection = self.connect()
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '50ms'")
        with self.lock:
            self.transactions[key] = Transaction(connection, time.monotonic())

    def commit(self, key: Key) -> None:
        self._end(key, commit=True)

    def roll_back(self, key: Key) -> None:
        self._end(key, commit=False)

    def _end(self, key: Key, *, commit: bool) -> None:
        with self.lock:
            transaction = self.transactions.pop(key, None)
        if transaction:
            try:  # its cursors end with it
                if commit:
                    transaction.connection.execute("COMMIT; CLOSE ALL")
                else:  # psycopg's own `execute` would also drop what it has prepared
                    with transaction.connection.lock:
                        transaction.connection.pgconn.exec_(b"ROLLBACK; CLOSE ALL")
            finally:
                self.give_back(transaction.connection)

    def sweep(self) -> None:
        """Roll back, for ever, transactions that were not used for TRANSACTION_SECONDS."""
        while True:
            time.sleep(5)
            with self.lock:
                old = [
                    key for key, transaction in self.transactions.items() if time.monotonic() - transaction.used_at > TRANSACTION_SECONDS
                ]
            for key in old:
                self.roll_back(key)
