"""`tailgate sidecar`: the data path alone. Validates, then becomes the light capture process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from collectors.settings import ENVIRONMENT, Boost, Settings
from monitor.addresses import host_port
from monitor.config import Config
from monitor.config_file import load, secret

STANDALONE_SPOOL = Path("tailgate.spool")


def settings_of(config: Config, spool: Path) -> Settings:
    """What of the configuration the capture process needs; no secret is in it."""
    upstream = urlsplit(config.baseline.url)
    secure = upstream.scheme == "https"
    sidecar, tls = config.sidecar, config.baseline.tls
    declared = [segment.header for segment in config.segments.values() if segment.header]
    boosts = tuple(Boost(b.fraction, b.path, b.header, b.value) for b in config.sampling.boosts)
    return Settings(
        upstream=(upstream.hostname or "", upstream.port or (443 if secure else 80)),
        spool=str(spool.absolute()),
        route=config.route.name,
        listen=host_port(sidecar.listen),
        admin=host_port(sidecar.admin),
        workers=sidecar.workers,
        upstream_tls=secure,
        upstream_ca=_path(tls.ca),
        upstream_cert=_path(tls.client_cert),
        rewrite_host=config.baseline.rewrites_host,
        tls_cert=_path(sidecar.tls.cert),
        tls_key=_path(sidecar.tls.key),
        endpoints=config.allow.endpoints,
        fraction=config.sampling.fraction,
        sampling_header=config.sampling.header,
        boosts=boosts,
        salt=config.sampling.salt,
        captured_headers=(*declared, *(b.header for b in boosts if b.header)),
        subject_header=config.privacy.subject,
        max_body_bytes=sidecar.max_body_bytes,
        max_in_flight=sidecar.max_in_flight,
        max_queue_items=sidecar.max_queue_items,
        max_queue_bytes=sidecar.max_queue_bytes,
        spool_max_bytes=config.spool.max_bytes,
        spool_max_age_seconds=config.spool.max_age_seconds,
        spool_sync_seconds=config.spool.sync_seconds,
        drain_seconds=sidecar.drain_seconds,
        key_env=config.privacy.key_env,
        token_env=sidecar.token_env,
    )


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


@click.command()
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="Configuration file (YAML).")
@click.option("--baseline", metavar="URL", help="The production server, http[s]://host[:port].")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect.")
@click.option("--sample", metavar="FRACTION", type=float, help="Share of requests that is mirrored.")
@click.option("--set", "sets", metavar="KEY.PATH=VALUE", multiple=True, help="Any configuration key.")
def command(
    file: Path | None, baseline: str | None, listen: str | None, sample: float | None, sets: tuple[str, ...]
) -> None:
    """The data path alone: forwards to the baseline and spools sampled exchanges.

    One line of JSON on stdout says when it is ready and on which addresses. SIGTERM drains.
    """
    flags: dict[str, Any] = {
        "baseline.url": baseline,
        "sidecar.listen": listen,
        "sampling.fraction": sample,
    }
    config = load(file, {key: value for key, value in flags.items() if value is not None}, sets)
    secret(config.sidecar.token_env, "sidecar.token_env")
    secret(config.privacy.key_env, "privacy.key_env")
    settings = settings_of(config, config.spool.directory or STANDALONE_SPOOL)
    environment = os.environ | {
        ENVIRONMENT: msgspec.json.encode(settings).decode(),
        # Two arenas: the loop's and the writer thread's. More only hold freed memory back.
        "MALLOC_ARENA_MAX": "2",
    }
    # -P: a module lying in the working directory must not shadow ours.
    os.execve(sys.executable, [sys.executable, "-P", "-m", "collectors.capture"], environment)  # noqa: S606
