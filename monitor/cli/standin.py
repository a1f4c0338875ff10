"""`tailgate standin`: an OpenAI-compatible server without a model."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.errors import Unreachable, UsageError


@click.command("standin")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port; 0 lets the system choose.")
@click.option(
    "--role",
    type=click.Choice(["baseline", "candidate"]),
    default="baseline",
    show_default=True,
    help="A candidate words some open answers differently and has its own logprobs.",
)
@click.option("--model", default="standin", show_default=True, help="Model name that it answers to.")
@click.option("--root", default="standin-weights", show_default=True, help="Weights path in /v1/models.")
@click.option("--seed", default=0, show_default=True, help="Changes every free choice.")
@click.option(
    "--fault", "faults", multiple=True, metavar="SEGMENT:KIND[:RATE]", help="E.g. language=sw:loop:0.9."
)
@click.option(
    "--boundary",
    "boundaries",
    multiple=True,
    metavar="AXIS=LEVEL[:OCTAVES]",
    help="Where an ability ends that `tailgate probe` measures, e.g. json_depth=3.",
)
@click.option("--noise", default=0.0, show_default=True, help="Share of greedy calls drawn anew.")
@click.option(
    "--latency",
    default="",
    metavar="SPEC",
    help="first=SECONDS,token=SECONDS,jitter=SHARE; idle speed. above=N,tail=FACTOR: slow tail beyond N.",
)
@click.option("--slots", default=64, show_default=True, help="Requests at once (vLLM --max-num-seqs).")
@click.option("--max-queued", type=int, help="503 beyond this many waiting (vLLM --max-num-queued-reqs).")
@click.option("--max-model-len", default=32768, show_default=True, help="Longest prompt in tokens.")
@click.option("--stream-interval", default=4, show_default=True, help="Tokens per streamed chunk.")
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True), help="PEM certificate.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="PEM key.")
def command(
    *,
    host: str,
    port: int,
    role: str,
    model: str,
    root: str,
    seed: int,
    faults: tuple[str, ...],
    boundaries: tuple[str, ...],
    noise: float,
    latency: str,
    slots: int,
    max_queued: int | None,
    max_model_len: int,
    stream_interval: int,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Serve answers made by rules over the OpenAI API, with fault knobs, for tests and demos.

    Prints its URL on stdout once it listens. It is no model: say so wherever its numbers appear.
    """
    from monitor.standin.faults import parse_fault
    from monitor.standin.probed import parse_limit
    from monitor.standin.server import http_server, listening
    from monitor.standin.settings import Settings, parse_latency

    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    settings = Settings(
        role=role,
        model=model,
        root=root,
        seed=seed,
        faults=tuple(parse_fault(fault) for fault in faults),
        boundaries=tuple(parse_limit(boundary) for boundary in boundaries),
        noise=noise,
        latency=parse_latency(latency),
        slots=slots,
        max_queued=max_queued,
        max_model_len=max_model_len,
        stream_interval=stream_interval,
    )
    try:
        bound = listening(host, port)
    except OSError as error:
        raise Unreachable(f"cannot listen on {host}:{port}: {error.strerror}") from error
    scheme = "https" if tls_cert else "http"
    click.echo(f"{scheme}://{host}:{bound.getsockname()[1]}")
    http_server(settings, cert=tls_cert, key=tls_key).run(sockets=[bound])
