"""The kill switch as people press it: a page that asks, a form that is sure, the sidecar that obeys.

The sidecar alone decides what it samples; this only carries the wish to its admin port. The form holds
a secret of this process that no other site's page can read (OWASP's synchronizer token), beside the
Origin check of `guard.py`.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs

import httpx

from monitor.errors import BadInput, Unreachable

TIMEOUT_SECONDS = 3.0


class Sidecar:
    """The sidecar's `/-/sampling`. `admin` is host:port, `token` what its PUT asks for."""

    def __init__(self, admin: str, token: str | None = None) -> None:
        self.admin = admin
        self._url = f"http://{admin}/-/sampling"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def fraction(self) -> float:
        """What is sampled now. Raises Unreachable."""
        return await self._ask("GET")

    async def sample(self, fraction: float) -> float:
        """Sample this from now on. Raises Unreachable."""
        return await self._ask("PUT", {"fraction": fraction})

    async def _ask(self, method: str, body: object = None) -> float:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.request(method, self._url, json=body, headers=self._headers)
            if answer.status_code != 200:
                raise Unreachable(f"the sidecar at {self.admin} refuses: {answer.text[:200]}")
            return float(answer.json()["fraction"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"the sidecar at {self.admin} does not answer: {what}") from error


class Form:
    """What the page's form must say before anything is switched."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)

    def wish(self, content_type: str, body: bytes) -> float:
        """The fraction that a sent form asks for. Raises BadInput where it is not ours or not sure."""
        if content_type.partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise BadInput("content_type", "send the form of this page")
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
        if not hmac.compare_digest(_one(fields, "secret").encode(), self.secret.encode()):
            raise BadInput("stale_form", "this form is not from the running monitor: open the page again")
        if _one(fields, "sure") != "yes":
            raise BadInput("not_sure", "tick the box to confirm")
        try:
            fraction = float(_one(fields, "fraction"))
        except ValueError as error:
            raise BadInput("fraction", "fraction must be a number from 0 to 1") from error
        if not 0 <= fraction <= 1:
            raise BadInput("fraction", "fraction must be a number from 0 to 1")
        return fraction


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]
