"""A server's private folder: one process at a time uses it, and nobody else can read its secrets."""

import fcntl
import os
import secrets
from pathlib import Path


class FolderInUse(RuntimeError):
    """Another running process has its server in this folder: each needs its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is in use by another running process: stop that, or use another folder.")


class FolderLock:
    """Held by this process until released; the kernel releases it when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Create the folder and take it. Raises `FolderInUse`."""
        if self._descriptor is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise FolderInUse(self._folder) from None
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def kept_secret(path: Path, mode: int = 0o600) -> str:
    """The secret in the file `path`, made up when there is none yet."""
    if not path.exists():
        write_private(path, secrets.token_hex(24), mode)
    return path.read_text()


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file in one step: at no time is it half-written, or readable by others."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    draft.rename(path)
