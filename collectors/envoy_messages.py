"""What we read of Envoy's external processing protocol, as protobuf messages made here.

The generated Envoy packages weigh tens of megabytes and write the same files as others that carry
the name; of `envoy.service.ext_proc.v3.ProcessingRequest` we read six fields, and protobuf skips the
rest. Field numbers: envoy/service/ext_proc/v3/external_processor.proto, config/core/v3/base.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tailgate.envoy"
_SCALARS = {"string": _FIELD.TYPE_STRING, "bytes": _FIELD.TYPE_BYTES, "bool": _FIELD.TYPE_BOOL}
# message: (field, number, type); "*" in front of a type: repeated
_SHAPES = {
    "HeaderValue": (("key", 1, "string"), ("value", 2, "string"), ("raw_value", 3, "bytes")),
    "HeaderMap": (("headers", 1, "*HeaderValue"),),
    "HttpHeaders": (("headers", 1, "HeaderMap"), ("end_of_stream", 3, "bool")),
    "HttpBody": (("body", 1, "bytes"), ("end_of_stream", 2, "bool")),
    "HttpTrailers": (("trailers", 1, "HeaderMap"),),
    "ProcessingRequest": (
        ("request_headers", 2, "HttpHeaders"),
        ("response_headers", 3, "HttpHeaders"),
        ("request_body", 4, "HttpBody"),
        ("response_body", 5, "HttpBody"),
        ("request_trailers", 6, "HttpTrailers"),
        ("response_trailers", 7, "HttpTrailers"),
    ),
}


def _made() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tailgate/envoy.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _SHAPES.items():
        message = file.message_type.add(name=name)
        if name == "ProcessingRequest":
            message.oneof_decl.add(name="request")
        for field, number, kind in fields:
            bare = kind.removeprefix("*")
            message.field.add(
                name=field,
                number=number,
                label=_FIELD.LABEL_REPEATED if kind != bare else _FIELD.LABEL_OPTIONAL,
                type=_SCALARS.get(bare, _FIELD.TYPE_MESSAGE),
                type_name=None if bare in _SCALARS else f".{_PACKAGE}.{bare}",
                oneof_index=0 if name == "ProcessingRequest" else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _SHAPES
    }


_CLASSES = _made()
ProcessingRequest = _CLASSES["ProcessingRequest"]
HttpHeaders, HttpBody, HttpTrailers = (_CLASSES[n] for n in ("HttpHeaders", "HttpBody", "HttpTrailers"))


def fields(headers: Any) -> dict[str, str]:
    """Header names (pseudo-headers included) and values; of repeated ones the last."""
    return {
        field.key.lower(): (field.raw_value.decode("latin-1") if field.raw_value else field.value)
        for field in headers.headers.headers
    }
