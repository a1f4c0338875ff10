"""The chart rendered by the real Helm, and strict schemas for what it renders."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from helm.__main__ import CHART, ROOT
from tests.deploy.tools import absent

Json = dict[str, Any]
HELM = ROOT / ".cache" / "helm" / "helm" / "helm"
KUBECTL = ROOT / ".cache" / "helm" / "kubectl" / "kubectl"
SCHEMAS = Path(__file__).parent / "schemas"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.35"


def tool(path: Path) -> Path:
    """A binary that `make .cache/helm` installs; skipped where missing, a failure in CI."""
    if not path.exists():
        absent(f"{path} is missing (make .cache/helm)")
    return path


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A finished helm command."""
    return subprocess.run(
        [tool(HELM), *arguments], capture_output=True, text=True, check=False, timeout=100, cwd=ROOT
    )


@cache
def rendered(values: Path | None = None, *settings: str) -> list[Json]:
    """Every document of the chart with a values file and `--set` settings."""
    flags = [*(("-f", values) if values else ()), *(word for text in settings for word in ("--set", text))]
    done = helm("template", "tailgate", CHART, "-n", "llm", *flags)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(documents: list[Json], kind: str) -> list[Json]:
    """The documents of one kind."""
    return [document for document in documents if document["kind"] == kind]


def check(document: Json) -> None:
    """Raise where a document breaks its schema; unknown keys do."""
    own = SCHEMAS / f"{document['kind']}.json"
    if own.exists():
        jsonschema.validate(document, json.loads(own.read_text()))
    else:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def pods(documents: list[Json]) -> list[tuple[str, Json]]:
    """Kind and pod spec of everything that starts pods."""
    found = []
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "Pod":
            found.append(("Pod", spec))
        elif document["kind"] == "CronJob":
            found.append(("CronJob", spec["jobTemplate"]["spec"]["template"]["spec"]))
        elif "template" in spec:
            found.append((document["kind"], spec["template"]["spec"]))
    return found


def containers(pod: Json) -> list[Json]:
    """Its containers, init containers first."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def unrestricted(pod: Json) -> list[str]:
    """What breaks the restricted Pod Security Standard, in words.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    outer = pod.get("securityContext", {})
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    found += [f"volume {v['name']}" for v in pod.get("volumes", ()) if not (v.keys() - {"name"}) <= allowed]
    for container in containers(pod):
        inner = container.get("securityContext", {})
        both = {**outer, **inner}
        rules = {
            "runs as root": both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0,
            "may escalate": inner.get("allowPrivilegeEscalation") is not False,
            "privileged": inner.get("privileged", False),
            "keeps capabilities": inner.get("capabilities", {}).get("drop") != ["ALL"]
            or not set(inner["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"},
            "no seccomp profile": both.get("seccompProfile", {}).get("type")
            not in {"RuntimeDefault", "Localhost"},
            "host port": any("hostPort" in port for port in container.get("ports", ())),
        }
        found += [f"{container['name']}: {words}" for words, broken in rules.items() if broken]
    return found
