"""One writer a run directory: a lock file that names a living process."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType

from fastpose.errors import UserError


class RunLock:
    """Holds ``folder/lock`` while its context lasts.

    The kernel's lock on the file decides on one machine, and falls with its process however that
    ends, so a file left by a killed process is stale and is taken over. The file names process and
    host for the message, and for folders shared with other machines, where no lock can be seen:
    there a file of another host is believed.

    Raises:
        UserError: another process holds the lock, or another host left one.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._descriptor = -1

    def __enter__(self) -> RunLock:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = self._owner(descriptor)
                os.close(descriptor)
                raise UserError(
                    f"{self.path.parent}: process {owner.get('pid', '?')} is writing to this run; "
                    "wait for it, stop it, or name another folder"
                ) from None
            if self._is_current(descriptor):
                break
            os.close(descriptor)  # its holder removed the file while we waited to open it
        host = self._owner(descriptor).get("host")
        if host not in (None, socket.gethostname()):
            os.close(descriptor)
            raise UserError(
                f"{self.path}: machine '{host}' is writing to this run; "
                "if it is not, remove the file"
            )
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        self._descriptor = descriptor
        return self

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    @staticmethod
    def _owner(descriptor: int) -> dict[str, object]:
        try:
            owner = json.loads(os.pread(descriptor, 1000, 0))
        except ValueError:  # empty, or killed while writing it
            return {}
        return owner if isinstance(owner, dict) else {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
