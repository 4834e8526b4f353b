"""Let a process die, or another one act, between any two steps that it takes.

A step is a statement to the database, a commit, or a message put into the queue: the moments at which the world outside the process
changes. On MongoDB each operation of the back end is a statement.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from celery import Task
from django.db import connection


class Death(BaseException):
    """No code catches it. What the process still tries on its way out (a `finally`) reaches neither database nor queue."""


@dataclass
class Steps:
    number: int
    """Before which step it happens."""
    interruption: Callable[[], None]
    taken: int = 0
    is_dead: bool = False
    is_done: bool = False
    """Whether the process came so far."""
    is_paused: bool = False
    """Another process acts: its steps are its own."""
    is_committing: bool = False
    different: list[int] = field(default_factory=list)
    """The steps before which a death leaves the world otherwise than before the step that they follow: something was stored or sent."""
    has_changed: bool = True

    def step(self) -> None:
        if self.is_paused:
            return
        if self.is_dead:
            raise Death
        self.taken += 1
        if self.has_changed:
            self.different.append(self.taken)
            self.has_changed = False
        if not self.is_done and self.taken >= self.number:
            self.interruption()


_now: list[Steps] = []
"""The process whose steps are counted; empty while nobody's are."""


@contextmanager
def dies_before(number: int) -> Iterator[Steps]:
    """The block's process ends before its step of this number: its open transaction with it, its hooks after a commit, its messages."""

    def die() -> None:
        steps.is_done = steps.is_dead = True
        raise Death

    steps = Steps(number, die)
    with suppress(Death), _counted(steps):
        yield steps


@contextmanager
def meets(number: int, other: Callable[[], object]) -> Iterator[Steps]:
    """Another process acts before that step, or before the first one after it that is not inside a transaction."""

    def act() -> None:
        if steps.is_committing or getattr(connection, "in_atomic_block_mongo", connection.in_atomic_block):
            return
        steps.is_done = steps.is_paused = True
        try:
            other()
        finally:
            steps.is_paused = False

    steps = Steps(number, act)
    with _counted(steps):
        yield steps


@contextmanager
def _counted(steps: Steps) -> Iterator[None]:
    _now.append(steps)
    try:
        with ExitStack() as stack:
            if connection.vendor == "mongodb":
                _count_on_mongodb(steps, stack)
            else:
                _count_on_sql(steps, stack)
            yield
    finally:
        _now.remove(steps)


def _count_on_sql(steps: Steps, stack: ExitStack) -> None:
    def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        steps.step()
        if not connection.in_atomic_block and not sql.startswith(("SELECT", "BEGIN")):
            steps.has_changed = True
        return execute(sql, *arguments)

    write, undo = connection.commit, connection.rollback
    stack.enter_context(connection.execute_wrapper(count))
    stack.enter_context(mock.patch.object(connection, "commit", partial(_commit, steps, write, undo)))


def _count_on_mongodb(steps: Steps, stack: ExitStack) -> None:
    from django_mongodb_backend.utils import OperationDebugWrapper

    class Counted(OperationDebugWrapper):  # type: ignore[misc]  # the package has no types
        def profile_call(self, func: Callable[..., Any], args: Any = (), kwargs: Any = None) -> tuple[int, Any]:
            steps.step()
            steps.has_changed = True  # as far as is known here
            return 0, func(*args, **kwargs or {})

        def log(self, *_: Any) -> None:
            """Django's log of queries has no use for it."""

    database: Any = connection
    plain = database.get_collection
    write, undo = database.commit_mongo, database.rollback_mongo
    stack.enter_context(mock.patch.object(database, "get_collection", lambda name, **more: Counted(database, plain(name, **more))))
    stack.enter_context(mock.patch.object(database, "commit_mongo", partial(_commit, steps, write, undo)))


def _commit(steps: Steps, write: Callable[[], None], undo: Callable[[], None]) -> None:
    """One may die before it and just after it, before anything that waited for it was done."""
    waiting: Any = []
    steps.is_committing = True
    try:
        steps.step()
        waiting, connection.run_on_commit = connection.run_on_commit, []
        write()
        steps.has_changed = True
        steps.step()
    except Death:
        undo()  # what is not written; on MongoDB also what is over
        raise
    finally:
        steps.is_committing = False
    connection.run_on_commit = waiting
    if connection.vendor == "mongodb":
        connection.run_and_clear_commit_hooks()


@dataclass
class Queue:
    """Celery's, in memory: a message waits until a test lets a worker take it, or loses it."""

    ignored: frozenset[str] = frozenset()
    """Names of tasks that the test has no use for."""
    messages: list[tuple[Any, tuple[Any, ...]]] = field(default_factory=list)

    @contextmanager
    def used(self) -> Iterator[None]:
        def put(task: Any, args: tuple[Any, ...] = (), kwargs: Any = None, **_: Any) -> None:
            if _now:
                _now[-1].step()
            if task.name not in self.ignored:
                self.messages.append((task, tuple(args)))
                if _now:
                    _now[-1].has_changed = True

        with mock.patch.object(Task, "apply_async", put):
            yield

    def clear(self) -> None:
        self.messages.clear()
