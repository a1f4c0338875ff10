"""The client's side of a connection whose Host line is replaced (`baseline.host: rewrite`)."""

from __future__ import annotations

from time import monotonic_ns

from collectors.observer import MAX_HEAD_BYTES
from collectors.rewriting import with_host
from collectors.splice import Client, Splicer


class RewritingClient(Client):
    """Replaces the Host line of each request head, while the observer knows where heads begin.

    Here the observer reads first. Once it cannot follow, forwarding would send the client's Host to
    the upstream, so the connection closes with the reason counted; an agreed switch of protocols
    passes untouched.
    """

    def __init__(self, splicer: Splicer) -> None:
        super().__init__(splicer)
        self._held = b""

    def data_received(self, data: bytes) -> None:
        began = monotonic_ns()
        self.splicer.observe()
        send, observer = self.send, self.observer
        if send is None:
            self._wait(data)
            return
        if observer is not None and observer.switched:
            send(data)
            return
        at_head = observer is None or not observer.in_request
        if at_head:
            data = self._held + data
            self._held = b""
            # A head that ends in bare LF is for the observer to refuse, not to wait for.
            if b"\n\r\n" not in data and b"\n\n" not in data and len(data) <= MAX_HEAD_BYTES:
                self._held = data
                return
        self.splicer.seen.append((self, data, began, monotonic_ns() - began))
        self.splicer.observe()
        rewritten = with_host(data, self.splicer.host_value) if at_head else data
        if self.observer is None or not self.observer.following or rewritten is None:
            self.splicer.upstream_error("rewrite_out_of_sync")
            self.abort("client_left")
            return
        send(rewritten)
