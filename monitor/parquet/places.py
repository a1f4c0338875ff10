"""Where exported files lie: a local directory, or a bucket (`s3://`) through pyarrow.

Files appear whole or not at all: a rename, or the completion of an upload. DuckDB 2.0 has no httpfs that
can be installed without its extension server, so objects are fetched once and read locally; a report
asks some fifteen questions of the same rows.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import gettempdir, mkdtemp
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import finalize

from monitor.errors import ConfigError, StoreError

_DRAFTS = ".drafts"
_SCRATCH = "tailgate-objects-"
ABANDONED_SECONDS = 86_400.0


class Place(Protocol):
    """Files by relative name. Every method raises StoreError with the address and the reason."""

    location: str

    def names(self, folder: str = "") -> list[str]:
        """Names of all files below `folder`, sorted."""

    def versions(self, folder: str = "") -> dict[str, str]:
        """Names of all files below `folder`, each with a word that is another one when the file was replaced."""

    def draft(self) -> Path:
        """A local path for a new file, on the file system from which `put` is cheapest."""

    def put(self, draft: Path, name: str) -> None:
        """Publish a draft under `name`, replacing what is there; the draft is gone afterwards."""

    def fetch(self, names: Sequence[str]) -> list[Path]:
        """Local paths of files, to read; those that are gone are left out."""

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone is no error."""

    def age(self, name: str) -> float:
        """Seconds since the file was written; 0 where it is gone."""

    def forget(self) -> None:
        """Drop local copies of what was fetched."""

    def sweep(self) -> None:
        """Delete drafts whose writers are gone: they hold rows that no reader and no erasure would find."""


def place_of(location: str) -> Place:
    """The place that `export.directory` names. Raises ConfigError, StoreError."""
    if "://" not in location:
        return Directory(Path(location))
    return Bucket(location)


def address(location: str) -> str:
    """What two spellings of one place have in common, with a slash behind it."""
    if "://" not in location:
        return f"{Path(location).resolve()}/"
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


class Directory:
    """A directory of this machine or a mounted one."""

    def __init__(self, root: Path) -> None:
        self.location = str(root.absolute())
        self._root = root
        self._count = 0
        self._drafts: Path | None = None

    def names(self, folder: str = "") -> list[str]:
        start = self._root / folder
        found = []
        for directory, folders, files in os.walk(start):
            folders[:] = [name for name in folders if name != _DRAFTS]
            below = Path(directory).relative_to(self._root)
            found += [(below / name).as_posix() for name in files]
        return sorted(found)

    def versions(self, folder: str = "") -> dict[str, str]:
        found = {}
        for name in self.names(folder):
            with suppress(FileNotFoundError):
                state = (self._root / name).stat()
                found[name] = f"{state.st_mtime_ns}-{state.st_size}"
        return found

    def draft(self) -> Path:
        self._count += 1
        if self._drafts is None or not self._drafts.exists():
            self._drafts = self._desk()
        return self._drafts / str(self._count)

    def _desk(self) -> Path:
        """A directory for this object's drafts, locked for as long as it lives; a kill frees it too."""
        drafts = self._root / _DRAFTS
        try:
            drafts.mkdir(parents=True, exist_ok=True)
            desk = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=drafts))
        except OSError as error:
            raise _failed(drafts, error) from error
        with suppress(OSError):  # without locks, age decides what is abandoned
            finalize(self, os.close, _locked(desk))
        finalize(self, shutil.rmtree, desk, ignore_errors=True)
        return desk

    def put(self, draft: Path, name: str) -> None:
        target = self._root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(draft)
            draft.replace(target)
        except OSError as error:
            raise _failed(target, error) from error

    def fetch(self, names: Sequence[str]) -> list[Path]:
        return [path for name in names if (path := self._root / name).exists()]

    def delete(self, name: str) -> None:
        try:
            (self._root / name).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._root / name, error) from error

    def age(self, name: str) -> float:
        try:
            return max(0.0, time.time() - (self._root / name).stat().st_mtime)
        except OSError:
            return 0.0

    def forget(self) -> None:
        return

    def sweep(self) -> None:
        for desk in (self._root / _DRAFTS).glob("*"):
            if not _is_abandoned(desk):
                continue
            try:
                shutil.rmtree(desk) if desk.is_dir() else desk.unlink(missing_ok=True)
            except OSError as error:
                raise _failed(desk, error) from error


class Bucket:
    """`s3://bucket/prefix?region=…&endpoint_override=host:port&scheme=http`; credentials from AWS_*."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._fs, self._root = _filesystem(location)
        self._scratch = Path(mkdtemp(prefix=_SCRATCH))
        with suppress(OSError):
            finalize(self, os.close, _locked(self._scratch))
        finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._fetched: dict[str, int] = {}
        self._count = 0

    def names(self, folder: str = "") -> list[str]:
        return sorted(self.versions(folder))

    def versions(self, folder: str = "") -> dict[str, str]:
        from pyarrow.fs import FileSelector

        start = str(PurePosixPath(self._root) / folder)
        try:
            infos = self._fs.get_file_info(FileSelector(start, recursive=True, allow_not_found=True))
        except OSError as error:
            raise _failed(self.location, error) from error
        return {
            str(PurePosixPath(info.path).relative_to(self._root)): f"{info.mtime_ns}-{info.size}"
            for info in infos
            if info.is_file
        }

    def draft(self) -> Path:
        self._count += 1
        return self._scratch / f"draft-{self._count}"

    def put(self, draft: Path, name: str) -> None:
        try:
            with draft.open("rb") as source, self._fs.open_output_stream(self._path(name)) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            size = self._info(name).size
        except OSError as error:
            raise _failed(f"{self.location}: {name}", error) from error
        if size != draft.stat().st_size:
            # The upload was completed although reading the draft had failed.
            self.delete(name)
            raise StoreError(f"{self.location}: {name} arrived with {size} bytes and was deleted")
        draft.unlink()

    def fetch(self, names: Sequence[str]) -> list[Path]:
        return [path for name in names if (path := self._fetch(name)) is not None]

    def _fetch(self, name: str) -> Path | None:
        info = self._info(name)
        if not info.is_file:
            return None
        path = self._scratch / name
        if self._fetched.get(name) != info.mtime_ns:  # an erasure replaces files
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._fs.open_input_stream(info.path) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise _failed(f"{self.location}: {name}", error) from error
            self._fetched[name] = info.mtime_ns
        return path

    def delete(self, name: str) -> None:
        try:
            self._fs.delete_file(self._path(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed(f"{self.location}: {name}", error) from error

    def age(self, name: str) -> float:
        info = self._info(name)
        return max(0.0, time.time() - info.mtime_ns / 1e9) if info.is_file else 0.0

    def forget(self) -> None:
        for name in self._fetched:
            (self._scratch / name).unlink(missing_ok=True)
        self._fetched.clear()

    def sweep(self) -> None:
        """Uploads appear whole or not at all; what a killed process had on this machine goes."""
        for scratch in Path(gettempdir()).glob(f"{_SCRATCH}*"):
            if scratch.is_dir() and _is_abandoned(scratch):
                shutil.rmtree(scratch, ignore_errors=True)

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _info(self, name: str) -> Any:
        try:
            return self._fs.get_file_info(self._path(name))
        except OSError as error:
            raise _failed(f"{self.location}: {name}", error) from error


def _filesystem(location: str) -> tuple[Any, str]:
    if urlsplit(location).password is not None:
        raise ConfigError("export.directory: no secrets in the URL; set AWS_ACCESS_KEY_ID and its like")
    try:
        from pyarrow.fs import FileSystem
    except ImportError as error:
        raise ConfigError(f"export.directory: {location} needs `pip install tailgate[s3]`") from error
    try:
        filesystem, root = FileSystem.from_uri(location)
    except (OSError, ValueError) as error:
        raise ConfigError(f"export.directory: {location}: {error}") from error
    return filesystem, root


def _is_abandoned(desk: Path) -> bool:
    """Whether nobody writes there: its lock is free, or a day has passed where there are no locks."""
    try:
        os.close(_locked(desk))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return time.time() - desk.stat().st_mtime > ABANDONED_SECONDS
    return True


def _locked(directory: Path) -> int:
    """A descriptor that holds the directory's lock. Raises BlockingIOError where somebody else has it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without locks on directories (NFS)
        os.close(descriptor)
        raise
    return descriptor


def _sync(path: Path) -> None:
    """Bytes before name: after a power cut a published file is whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(where: object, error: OSError) -> StoreError:
    reason = error.strerror or str(error).partition("\n")[0]
    return StoreError(f"{where}: {reason}")
