"""Container files, compose and the kustomize component: what can be checked without building an image.

`make images` builds them where docker, podman or buildah is installed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

from helm.__main__ import ROOT
from monitor.cli import tailgate
from monitor.config import Config
from monitor.config_file import load
from tests.deploy.chart import KUBECTL, check, containers, of_kind, pods, tool, unrestricted
from tests.deploy.tools import DEPLOY, output
from tests.real import vllm_server

COMPOSE = DEPLOY / "compose"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("tailgate")}
FILES = sorted((DEPLOY / "containers").glob("*.Containerfile"))
LIGHT = DEPLOY / "containers" / "sidecar-requirements.txt"


def stages(path: Path) -> list[list[tuple[str, str]]]:
    """Instructions (word, rest) per stage; continuation lines are joined."""
    lines = re.sub(r"\\\n", " ", path.read_text()).splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    starts = [index for index, (word, _) in enumerate(words) if word == "FROM"]
    ends = [*starts[1:], len(words)]
    return [[(word, rest) for word, rest in words[a:b]] for a, b in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_image_runs_as_nobody_in_particular_and_without_tools_to_build(path: Path) -> None:
    build, final = stages(path)
    kept = dict(final)
    assert (kept["USER"], kept["ENTRYPOINT"]) == ("10001:10001", '["tailgate"]')
    assert not any("pip" in rest for _, rest in final)
    copied = [rest.split()[0] for word, rest in build if word == "COPY"]
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_default_command_exists(path: Path) -> None:
    (command,) = json.loads(dict(stages(path)[1])["CMD"])
    assert CliRunner().invoke(tailgate, [command, "--help"]).exit_code == 0


def requirements() -> dict[str, Requirement]:
    lines = [line for line in LIGHT.read_text().splitlines() if not line.startswith("#")]
    return {wanted.name: wanted for wanted in map(Requirement, lines)}


def test_the_sidecar_image_has_the_bounds_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds = {wanted.name: str(wanted.specifier) for wanted in map(Requirement, project)}
    assert {name: str(r.specifier) for name, r in requirements().items()} == {
        n: bounds[n] for n in requirements()
    }


def closure(names: set[str]) -> set[str]:
    """These distributions and all that they need, by normalised name."""
    found: set[str] = set()
    waiting = {normal(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        needed = [Requirement(text) for text in requires(name) or ()]
        waiting |= {
            normal(r.name) for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})
        } - found
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_sidecar_starts_with_these_packages_alone(tmp_path: Path) -> None:
    allowed = closure({*requirements()})
    foreign = {
        module
        for module, distributions in packages_distributions().items()
        if not {normal(name) for name in distributions} & {*allowed, "tailgate"}
    }
    # Python imports this module first, in the capture process and its workers too.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({sorted(foreign)!r}))\n"
    )
    flags = [
        "--listen",
        "127.0.0.1:0",
        "--set",
        "sidecar.admin=127.0.0.1:0",
        "--baseline",
        "http://127.0.0.1:9",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "sidecar", *flags],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}, cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["event"] == "ready"
        finally:
            process.terminate()


def filled(command: list[str]) -> list[str]:
    """The command as compose runs it with no variables set."""
    return [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in command]


def settings(command: list[str]) -> list[str]:
    words = filled(command)
    return [after for word, after in pairwise(words) if word == "--set"]


def test_both_processes_of_compose_agree_on_spool_and_store() -> None:
    sidecar, monitor = (
        load(COMPOSE / "tailgate.yaml", settings=settings(OURS[name]["command"]))
        for name in ("sidecar", "monitor")
    )
    assert (sidecar.spool, sidecar.store, sidecar.baseline) == (
        monitor.spool,
        monitor.store,
        monitor.baseline,
    )
    assert monitor.candidate.url == "http://candidate:8000"
    assert {volume.partition(":")[2] for volume in OURS["sidecar"]["volumes"]} == {
        "/var/lib/tailgate", "/etc/tailgate/tailgate.yaml:ro",
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_a_service_calls_a_command_and_options_that_exist(name: str) -> None:
    command, *options = OURS[name]["command"]
    shown = CliRunner().invoke(tailgate, [command, "--help"]).output
    assert [word for word in options if word.startswith("-") and word not in shown] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened_and_published_on_loopback_only(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not service["image"].endswith(":latest")


def test_compose_with_kafka_is_one_route_for_every_process() -> None:
    services = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]
    sets = {name: settings(services[name]["command"]) for name in ("shipper", "scorer")}
    configs = {name: load(COMPOSE / "tailgate.kafka.yaml", settings=found) for name, found in sets.items()}
    plain = load(COMPOSE / "tailgate.kafka.yaml")
    assert {c.kafka.bootstrap for c in [plain, *configs.values()]} == {("kafka:9092",)}
    assert {c.spool_directory for c in [plain, *configs.values()]} == {plain.spool_directory}
    assert (configs["scorer"].kafka.role, plain.kafka.role) == ("scoring", "both")
    assert all("TAILGATE_KEY" in services[name]["environment"] for name in ("sidecar", "shipper", "scorer"))
    assert plain.privacy.key_env == "TAILGATE_KEY"


def test_what_compose_mounts_and_builds_is_there() -> None:
    mounted = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ()) if v.startswith(".")]
    built = [
        COMPOSE / s["build"]["context"] / s["build"]["dockerfile"] for s in SERVICES.values() if "build" in s
    ]
    assert [path for path in [*(COMPOSE / name for name in mounted), *built] if not path.exists()] == []


def test_prometheus_of_compose_scrapes_the_ports_that_are_there() -> None:
    config = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
    targets = {t for job in config["scrape_configs"] for s in job["static_configs"] for t in s["targets"]}
    ports = {f"{n}:{p.rpartition(':')[2]}" for n, s in SERVICES.items() for p in s.get("ports", ())}
    assert targets <= ports
    assert "SUCCESS" in output("promtool", "check", "config", "--syntax-only", COMPOSE / "prometheus.yaml")


@pytest.fixture(scope="module")
def injected() -> list[dict[str, Any]]:
    """The example, as `kubectl kustomize` renders it."""
    command = [str(tool(KUBECTL)), "kustomize", str(DEPLOY / "kustomize" / "example")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_patched_workload_is_valid_and_restricted(injected: list[dict[str, Any]]) -> None:
    for document in injected:
        check(document)
    chat, other = (pod for kind, pod in pods(injected) if kind == "Deployment")
    assert unrestricted(chat) == []
    assert [c["name"] for c in containers(other)] == ["other"]


def test_the_sidecar_is_native_and_shares_its_spool_with_the_monitor(injected: list[dict[str, Any]]) -> None:
    chat = pods(injected)[0][1]
    sidecar, monitor, _ = containers(chat)
    assert (sidecar["name"], sidecar["restartPolicy"], monitor["name"]) == (
        "tailgate-sidecar",
        "Always",
        "tailgate-monitor",
    )
    assert sidecar["volumeMounts"] == monitor["volumeMounts"]
    names = {volume["name"] for volume in chat["volumes"]}
    assert {mount["name"] for mount in sidecar["volumeMounts"]} <= names


def test_the_injected_configuration_is_accepted(injected: list[dict[str, Any]]) -> None:
    (mapped,) = of_kind(injected, "ConfigMap")
    config = Config.model_validate(yaml.safe_load(mapped["data"]["tailgate.yaml"]))
    assert config.spool.directory == Path("/var/lib/tailgate/spool")


def vllm_services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "vllm.yaml").read_text())["services"]
    return found


def test_the_gpu_example_uses_flags_that_vllm_has() -> None:
    if (python := vllm_server.interpreter()) is None:
        pytest.skip(vllm_server.WHY_NOT)
    (package,) = python.parents[1].glob("lib/python*/site-packages/vllm")
    # The parser's own sources: importing them takes half a minute.
    places = ("engine/arg_utils.py", "entrypoints/launchers/cli_args.py")
    known = "".join((package / place).read_text() for place in places)
    servers = [service for name, service in vllm_services().items() if name != "monitor"]
    flags = {word.split("=")[0] for server in servers for word in server["command"]}
    assert len(flags) == 8
    assert [flag for flag in flags if flag.strip("-").replace("-", "_") not in known] == []


def test_the_gpu_examples_monitor_is_configured_with_known_keys() -> None:
    command = vllm_services()["monitor"]["command"]
    settings = [word for before, word in pairwise(command) if before == "--set"]
    found = load(settings=[re.sub(r"\$\{\w+:-(.*)\}", r"\1", setting) for setting in settings])
    assert (found.candidate.mode, found.candidate.priority) == ("both", 10)
