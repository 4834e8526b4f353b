import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_file(path: Path, *, is_durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder. What is written there appears at `path` when the block ends, and not at all if it fails.

    A reader sees the old file or the whole new one, also when this process is killed; if it is durable, also after a power cut.
    """
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        yield part
        if is_durable:
            _flush(part)
        part.replace(path)
        if is_durable:
            _flush(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def flush_to_disk(*files: Path, up_to: Path) -> None:
    """Flush the files and the folders that hold them, which may be new: up to this folder, which is above all of them."""
    for file in files:
        _flush(file)
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(up_to)}
    for folder in sorted(folders, reverse=True):  # the inner ones first
        _flush(folder)


def _flush(path: Path) -> None:
    """Write the file or folder to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
