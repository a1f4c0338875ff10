"""The OpenAPI document of the monitor's port, served at `/api/v1/openapi.json`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from monitor.verdict import schema

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_ERROR: Final[Json] = {"$ref": "#/components/schemas/Error"}
_LABEL: Final[Json] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": _TEXT,
        "source": _TEXT,
        "baseline_correct": {"type": ["boolean", "null"]},
        "candidate_correct": {"type": ["boolean", "null"]},
    },
}
_SUBJECT: Final[Json] = {
    "type": "object",
    "required": ["subject"],
    "properties": {"subject": {"type": "string", "minLength": 1}},
}
_PROBES: Final[Json] = {"type": "array", "items": {"type": "object"}}
_COUNTS: Final[Json] = {"type": "object", "additionalProperties": {"type": "integer"}}
_ERASED: Final[Json] = {
    "type": "object",
    "required": ["pairs", "spool"],
    "properties": {
        "pairs": {"type": "integer"},
        "spool": {"type": "integer"},
        "exported": {"type": "integer"},
        "unreached": {"type": "array", "items": _TEXT, "description": "earlier exports that do not answer"},
        "note": {**_TEXT, "description": "why nothing could be found, where that is known"},
    },
}
_REFUSALS: Final = {
    "400": "the request cannot be used; `error` says why",
    "401": "a token is required",
    "403": "another site's page made this request",
    "408": "the body did not arrive in time",
    "413": "the body is larger than 4 MiB",
    "421": "an unknown Host on a loopback address",
    "503": "the monitor cannot answer now",
}


def _answer(words: str, content: Json, kind: str = "application/json") -> Json:
    return {"description": words, "content": {kind: {"schema": content}}}


def _operation(
    summary: str,
    answers: Mapping[str, Json],
    *,
    parameters: Sequence[Json] = (),
    body: Json | None = None,
    writes: bool = False,
) -> Json:
    refused = {code: _answer(words, _ERROR) for code, words in _REFUSALS.items()}
    made: Json = {"summary": summary, "responses": {**refused, **answers}}
    if parameters:
        made["parameters"] = list(parameters)
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if writes:
        made["security"] = [{"bearer": []}, {"basic": []}]
    return made


def _query(name: str, words: str, content: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": words, "schema": content}


_PAIRS: Final = (
    _query("segment", "`language=th`, or `all`", _TEXT),
    _query("signal", "a signal's name", _TEXT),
    _query("limit", "how many", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}),
)


def _reading() -> Json:
    verdict = {"$ref": "#/components/schemas/Verdict"}
    some, plain = {"type": "object"}, "text/plain"
    return {
        "/api/v1/verdict": {"get": _operation("The route's verdict", {"200": _answer("verdict", verdict)})},
        "/api/v1/segments": {"get": _operation("Its rows alone", {"200": _answer("rows", some)})},
        "/api/v1/funnel": {"get": _operation("Where every request ended", {"200": _answer("funnel", some)})},
        "/api/v1/pairs": {
            "get": _operation(
                "The worst pairs; text only where it is stored",
                {"200": _answer("pairs", some)},
                parameters=_PAIRS,
            )
        },
        "/metrics": {"get": _operation("Prometheus metrics", {"200": _answer("metrics", _TEXT, plain)})},
        "/-/healthy": {"get": _operation("The process runs", {"200": _answer("healthy", _TEXT, plain)})},
        "/-/ready": {
            "get": _operation(
                "It can score",
                {"200": _answer("ready", _TEXT, plain), "503": _answer("why not", _TEXT, plain)},
            )
        },
        "/gate/argo": {"get": _operation("Flat verdict for Argo Rollouts", {"200": _answer("gate", some)})},
        "/gate/flagger": {
            "post": _operation(
                "Flagger's webhook: 200 advances, 412 does not; the body is not looked at",
                {
                    "200": _answer("ok", _TEXT, plain),
                    "412": _answer("one line: why not", _TEXT, plain),
                },
            )
        },
    }


def _writing() -> Json:
    counts = {"200": _answer("how many", _COUNTS)}
    many = {"oneOf": [_LABEL, {"type": "array", "items": _LABEL, "maxItems": 10_000}]}
    erased = {"200": _answer("how many are gone from where", _ERASED)}
    exported = {"200": _answer("pairs", {"type": "object"})}
    return {
        "/api/v1/labels": {"post": _operation("Delayed labels", counts, body=many, writes=True)},
        "/api/v1/probes": {
            "post": _operation("Results of `tailgate probe`", counts, body=_PROBES, writes=True)
        },
        "/api/v1/erase": {"post": _operation("Forget a data subject", erased, body=_SUBJECT, writes=True)},
        "/api/v1/subject": {
            "post": _operation("What is kept about a data subject", exported, body=_SUBJECT, writes=True)
        },
        "/-/reload": {
            "post": _operation(
                "Read the configuration again", {"200": _answer("hash", {"type": "object"})}, writes=True
            )
        },
    }


_ROWS: Final = (
    _query("q", "words that segment or signal must hold", _TEXT),
    _query("verdict", "only these", {"enum": ["", "diverged", "ok", "inconclusive"]}),
    _query("sort", "order", {"enum": ["worst", "segment", "pairs", "effect", "evidence"]}),
    _query("rows", "`all`: every signal", _TEXT),
)
_SEGMENT: Final = (_query("name", "`language=th`, or `all`", _TEXT), _query("signal", "whose pairs", _TEXT))
_FORM: Final[Json] = {
    "type": "object",
    "required": ["secret", "sure", "fraction"],
    "properties": {"secret": _TEXT, "sure": {"const": "yes"}, "fraction": {"type": "number"}},
}


def _page(summary: str, parameters: Sequence[Json] = (), **more: Json) -> Json:
    answers = {"200": _answer(summary, _TEXT, "text/html"), **more}
    return {"get": _operation(summary, answers, parameters=parameters)}


def _looking() -> Json:
    """What people open: pages, and the two files beside them."""
    missing = _answer("no such segment", _TEXT, "text/html")
    kinds = {"page.css": "text/css", "page.js": "text/javascript"}
    return {
        "/": _page("The route at a glance", _ROWS),
        "/segment": _page("One segment and what it rests on", _SEGMENT, **{"404": missing}),
        "/funnel": _page("Where every request ended, for people"),
        "/candidate": _page("What the candidate can do"),
        "/sampling": {**_page("The kill switch"), "post": _switching()},
        "/api/v1/openapi.json": {
            "get": _operation("This document", {"200": _answer("document", {"type": "object"})})
        },
        **{
            f"/static/{name}": {"get": _operation("Beside the pages", {"200": _answer("file", _TEXT, kind)})}
            for name, kind in kinds.items()
        },
    }


def _switching() -> Json:
    """The form of the page: its secret is the running process's."""
    answers = {
        "303": {"description": "the sidecar obeys"},
        "502": _answer("the sidecar does not answer", _TEXT, "text/html"),
    }
    made = _operation("Mirror another share, or nothing", answers, writes=True)
    form = {"application/x-www-form-urlencoded": {"schema": _FORM}}
    return {**made, "requestBody": {"required": True, "content": form}}


def document() -> Json:
    """The whole document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tailgate monitor", "version": version("tailgate")},
        "paths": {**_reading(), **_writing(), **_looking()},
        "components": {
            "schemas": {
                "Verdict": {key: value for key, value in schema().items() if key not in {"$schema", "$id"}},
                "Error": {"type": "object", "required": ["error"], "properties": {"error": _TEXT}},
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }
