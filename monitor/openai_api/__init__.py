"""The one codec between OpenAI-compatible bytes and our values. Pure; total over foreign bytes.

Requests: `decode_request` (bytes), `parse_request` (parsed JSON), `mirrorable`, `rewrite`.
Answers: `StreamDecoder` (incremental, used by the live client and by captured bytes alike, so that
both legs are measured by the same code), `decode_response` (captured bytes with arrival marks),
`parse_response` (parsed JSON). Teacher forcing: `forced_request`, `decode_forced`; token ids of
text: `tokenize_prompt`, `tokenize_text`, `decode_token_ids`.

Requests that cannot be used raise `BadInput` with a counted reason. Answers never raise: a broken
answer is an outcome, `Completion.error_type`.
"""

from monitor.openai_api.forced import TokenScore, decode_forced, engine_seconds, forced_request
from monitor.openai_api.mirroring import mirrorable, rewrite
from monitor.openai_api.request import decode_request, operation_of, operation_of_path, parse_request
from monitor.openai_api.response import parse_response
from monitor.openai_api.stream import Mark, StreamDecoder, decode_response
from monitor.openai_api.tokenizing import decode_token_ids, tokenize_prompt, tokenize_text

__all__ = [
    "Mark",
    "StreamDecoder",
    "TokenScore",
    "decode_forced",
    "decode_request",
    "decode_response",
    "decode_token_ids",
    "engine_seconds",
    "forced_request",
    "mirrorable",
    "operation_of",
    "operation_of_path",
    "parse_request",
    "parse_response",
    "rewrite",
    "tokenize_prompt",
    "tokenize_text",
]
