"""Everything that can go wrong on our side, as one tree.

    TailgateError                 what the CLI turns into one line and an exit code
    ├── ConfigError          (2)  the configuration file, a flag or `--set`; names the key and the fix
    ├── UsageError           (2)  a command called in a way that cannot work
    ├── BadInput             (-)  one record is unusable; carries the counted reason, never fatal
    ├── StoreError           (4)  the database cannot be opened, or is another program's
    │   └── ForeignSpool     (4)  the spool belongs to another store
    └── Unreachable          (4)  an address that the user named does not answer

Foreign exceptions (httpx, duckdb, yaml, pydantic) are translated once, at the border that called
them. Failures of the candidate are not here: they are data (`Completion.error_type`).
"""

from __future__ import annotations


class TailgateError(Exception):
    """Base of all errors that a person sees; `exit_code` is the CLI's contract (DESIGN 6)."""

    exit_code = 2


class ConfigError(TailgateError):
    """A configuration value is wrong; the message names the key and the fix."""


class UsageError(TailgateError):
    """A command was called in a way that cannot work."""


class BadInput(TailgateError):  # noqa: N818  a counted skip, not a failure of ours
    """One record cannot be used. `reason` is a low-cardinality label, the message is for people."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


class StoreError(TailgateError):
    """The database cannot be opened or written."""

    exit_code = 4


class ForeignSpool(StoreError):  # noqa: N818  the word says it
    """The spool directory carries the id of another store."""


class Unreachable(TailgateError):  # noqa: N818  the word says it
    """Something that the user named does not answer."""

    exit_code = 4
