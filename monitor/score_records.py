"""What travels on the topic of scores: a route's log, one JSON object per settled exchange. Pure.

    {"v": 1, "stream": "w0-…", "after": [1, 0, 0], "position": [1, 4000, 1], "body": {"outcome": {…}, …}}
    {"v": 1, "mark": "pause"}
    {"v": 1, "mark": "candidate", "identity": "…", "since": 1700000000.0, "capabilities": "…"}

`body` is a `Settled` without its position: the account of the record and, where it held an exchange, what
is kept of it. No request and no answer is in it beyond what `store.text` allows. A `pause` ends the open
block of evidence: blocks are cut by what is in the log alone, so that everybody who reads it gets the same
bits. A `candidate` says who answers at the candidate's address.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from monitor.errors import BadInput
from monitor.ledger import Outcome
from monitor.ranges import Point
from monitor.settling import Account, Settled

VERSION = 1


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one record."""

    account: Account
    outcome: Outcome | None = None


class ScoreRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of the log. A body that cannot be read still says what it settles."""

    v: int
    stream: str = ""
    after: Point = (0, 0, 0)
    position: Point = (0, 0, 0)
    body: msgspec.Raw = msgspec.Raw()
    mark: Literal["", "pause", "candidate"] = ""
    identity: str = ""
    since: float = 0.0
    capabilities: str = ""


PAUSE = ScoreRecord(VERSION, mark="pause")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ScoreRecord)
_bodies = msgspec.json.Decoder(Body)


def encode(record: ScoreRecord) -> bytes:
    """The message's value."""
    return _encoder.encode(record)


def record_of(settled: Settled, after: Point, position: Point) -> ScoreRecord:
    """The message of one settled record; what cannot be written as JSON is counted, not lost."""
    account = settled.account
    try:
        body = _encoder.encode(Body(account, settled.outcome))
        _bodies.decode(body)  # JSON has no nan: better found here than by every reader
    except (UnicodeError, ValueError):
        body = _encoder.encode(Body(Account(account.stream, account.position, skipped="score_unwritable")))
    return ScoreRecord(VERSION, account.stream, after, position, msgspec.Raw(body))


def decode(value: bytes | None) -> ScoreRecord:
    """The message, or BadInput: `malformed`, `unknown_version`."""
    try:
        record = _decoder.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadInput("malformed", str(error)) from error
    if record.v != VERSION:
        raise BadInput("unknown_version", f"version {record.v}; this program reads {VERSION}")
    return record


def settled_of(record: ScoreRecord) -> Settled:
    """What it says; a body that cannot be read is a counted skip."""
    try:
        body = _bodies.decode(record.body)
    except (msgspec.MsgspecError, UnicodeError):
        return Settled(Account(record.stream, "", skipped="score_unreadable"))
    return Settled(body.account, body.outcome)
