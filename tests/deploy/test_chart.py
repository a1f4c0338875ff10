"""The chart: every values file renders to valid, restricted objects; a typo fails with its name."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from helm.__main__ import CHART, made
from monitor.cli import tailgate
from monitor.config import Config
from monitor.probes.pack import NAMES
from tests.deploy.chart import VALUES, check, containers, helm, of_kind, pods, rendered, unrestricted
from tests.deploy.tools import DEPLOY, output

every_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem.removesuffix("-values"))
SIDECAR = CHART / "ci" / "sidecar-values.yaml"
PLAIN = CHART / "ci" / "plain-sidecar-values.yaml"
KAFKA = CHART / "ci" / "kafka-values.yaml"
MONITORING = CHART / "ci" / "monitoring-values.yaml"
GATES = CHART / "ci" / "gates-values.yaml"
JOBS = CHART / "ci" / "jobs-values.yaml"
SECRET = CHART / "ci" / "existing-secret-values.yaml"


def monitor_pod(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = of_kind(documents, "StatefulSet")
    return dict(found["spec"]["template"]["spec"])


def test_copies_schema_and_table_are_fresh() -> None:
    stale = [str(path) for path, text in made().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make chart`"


@every_values
def test_lint_is_strict_and_clean(values: Path) -> None:
    done = helm("lint", "--strict", CHART, "-f", values)
    assert done.returncode == 0, done.stdout + done.stderr


@every_values
def test_every_object_is_valid_to_the_last_key(values: Path) -> None:
    for document in rendered(values):
        check(document)


@every_values
def test_every_pod_meets_the_restricted_profile(values: Path) -> None:
    found = pods(rendered(values))
    assert [(kind, words) for kind, pod in found for words in unrestricted(pod)] == []
    assert {pod["automountServiceAccountToken"] for _, pod in found} == {False}


@every_values
def test_the_configuration_in_the_config_map_is_accepted(values: Path) -> None:
    maps = [m for m in of_kind(rendered(values), "ConfigMap") if "tailgate.yaml" in m["data"]]
    assert (
        Config.model_validate(yaml.safe_load(maps[0]["data"]["tailgate.yaml"])).http.token_env
        == "TAILGATE_TOKEN"
    )


@every_values
def test_every_container_calls_a_command_and_options_that_exist(values: Path) -> None:
    called = [c["args"] for _, pod in pods(rendered(values)) for c in containers(pod) if "command" not in c]
    for name, *options in called:
        shown = CliRunner().invoke(tailgate, [name, "--help"])
        assert shown.exit_code == 0, name
        assert [word for word in options if word.startswith("-") and word not in shown.output] == []


@every_values
def test_images_are_never_latest_and_everything_has_its_labels(values: Path) -> None:
    documents = [d for d in rendered(values) if not d["metadata"]["name"].endswith("-note")]
    images = [c["image"] for _, pod in pods(documents) for c in containers(pod)]
    assert [image for image in images if image.endswith(":latest") or not set(image) & {":", "@"}] == []
    labels = {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/part-of",
        "helm.sh/chart",
    }
    assert [d["metadata"]["name"] for d in documents if not labels <= d["metadata"]["labels"].keys()] == []


def test_the_checks_themselves_find_a_wrong_key_and_a_loose_pod() -> None:
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        check({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}})
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "spec": {"groups": [{"name": "x", "ruels": []}]},
    }
    with pytest.raises(jsonschema.ValidationError, match="ruels"):
        check(rule)
    loose = unrestricted({"containers": [{"name": "x"}], "volumes": [{"name": "v", "hostPath": {}}]})
    assert loose == [
        "volume v",
        "x: runs as root",
        "x: may escalate",
        "x: keeps capabilities",
        "x: no seccomp profile",
    ]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("candidate.urll=http://x:1", "urll"),
        ("prometheusRules.enabled=true", "prometheusRules"),
        ("config.sampling.fractoin=0.1", "fractoin"),
        ("config.signals.answer=pagee", "signals/answer"),
        ("image.tag=latest", "tag"),
        ("handover=kafka", "kafka.bootstrap"),
        ("monitor.replicas=2", "monitor.replicas"),
    ],
)
def test_a_mistake_in_values_fails_with_its_name(setting: str, named: str) -> None:
    done = helm("template", "tailgate", CHART, "--set", setting)
    assert (done.returncode, named in done.stderr) == (1, True), done.stderr


def test_no_values_render_placeholders_with_a_warning_and_no_sidecar() -> None:
    documents = rendered()
    assert [c["name"] for _, pod in pods(documents) for c in containers(pod)] == ["monitor", "test"]
    # Notes are only rendered by an installation; without a cluster that is a dry run on the client.
    notes = helm("install", "tailgate", CHART, "--dry-run=client").stdout.partition("NOTES:")[2]
    assert [
        f"WARNING: {arm}.url is the placeholder Service http://{arm}:8000" in notes
        for arm in ("baseline", "candidate")
    ] == [True, True]
    assert "WARNING: sidecar.enabled is false, so nothing is mirrored yet" in notes


def test_the_sidecar_is_native_and_starts_before_the_monitor() -> None:
    pod = monitor_pod(rendered(SIDECAR))
    (sidecar,) = pod["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"], "startupProbe" in sidecar) == (
        "sidecar",
        "Always",
        True,
    )


def test_the_fallback_is_a_plain_container_without_a_restart_policy() -> None:
    pod = monitor_pod(rendered(PLAIN))
    assert ("initContainers" in pod, [c["name"] for c in pod["containers"]]) == (
        False,
        ["monitor", "sidecar"],
    )
    assert "restartPolicy" not in pod["containers"][1]


def test_sidecar_and_monitor_share_the_volume_of_spool_and_database() -> None:
    mounts = [
        {m["mountPath"]: m["name"] for m in c["volumeMounts"]}
        for c in containers(monitor_pod(rendered(SIDECAR)))
    ]
    assert {m["/var/lib/tailgate"] for m in mounts} == {"data"}
    (claim,) = of_kind(rendered(SIDECAR), "StatefulSet")[0]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_no_probe_of_a_process_asks_another_server() -> None:
    probes = [
        p["httpGet"]["path"]
        for c in containers(monitor_pod(rendered(SIDECAR)))
        for n, p in c.items()
        if n == "livenessProbe"
    ]
    assert probes == ["/-/healthy", "/-/healthy"]


def test_kafka_mode_ships_from_scaled_gateways_to_monitors_of_one_group() -> None:
    documents = rendered(KAFKA)
    (gateway,) = of_kind(documents, "Deployment")
    assert gateway["spec"]["replicas"] == 3
    assert [c["name"] for c in containers(gateway["spec"]["template"]["spec"])] == ["sidecar", "shipper"]
    assert [c["name"] for c in containers(monitor_pod(documents))] == ["monitor"]
    config = yaml.safe_load(of_kind(documents, "ConfigMap")[0]["data"]["tailgate.yaml"])
    assert (config["handover"]["kind"], config["kafka"]["group"], len(config["kafka"]["bootstrap"])) == (
        "kafka",
        "tailgate",
        2,
    )


def test_only_named_peers_reach_the_pods_and_only_their_servers_are_reached() -> None:
    for policy in of_kind(rendered(KAFKA), "NetworkPolicy"):
        ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        assert (ports, policy["spec"]["policyTypes"]) == ({53, 8000, 9092}, ["Ingress", "Egress"])
        assert all(rule["from"] for rule in policy["spec"]["ingress"])


def test_the_port_of_an_https_baseline_is_opened() -> None:
    (policy,) = of_kind(rendered(None, "baseline.url=https://llm.example.org"), "NetworkPolicy")
    assert 443 in {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_secrets_are_references_and_one_is_made_only_without_a_name() -> None:
    assert (len(of_kind(rendered(), "Secret")), len(of_kind(rendered(SECRET), "Secret"))) == (1, 0)
    env = {
        e["name"]: e.get("valueFrom", {}).get("secretKeyRef")
        for e in containers(monitor_pod(rendered(SECRET)))[0]["env"]
    }
    assert env["TAILGATE_TOKEN"] == {"name": "llm-secrets", "key": "tailgate-token"}
    assert env["TAILGATE_CANDIDATE_TOKEN"] == {"name": "llm-secrets", "key": "llm-token"}
    config = of_kind(rendered(SECRET), "ConfigMap")[0]["data"]["tailgate.yaml"]
    assert "token_env: TAILGATE_CANDIDATE_TOKEN" in config


def groups(values: Path, *settings: str) -> list[dict[str, Any]]:
    (rule,) = of_kind(rendered(values, *settings), "PrometheusRule")
    return list(rule["spec"]["groups"])


def test_the_rules_are_those_of_deploy_and_promtool_accepts_them(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": groups(JOBS)}))
    assert "SUCCESS" in output("promtool", "check", "rules", path)
    sources = sorted((DEPLOY / "prometheus").glob("*.yaml"))
    expected = [group for source in sources for group in yaml.safe_load(source.read_text())["groups"]]
    assert expected == groups(JOBS)


def test_alerts_can_be_left_out_and_links_lead_to_your_sites() -> None:
    found = [rule for group in groups(MONITORING) for rule in group["rules"] if "alert" in rule]
    names = {rule["alert"] for rule in found}
    assert ("TailgateMirroringOff" in names, "TailgateOurs" in names) == (False, True)
    links = [rule["annotations"]["runbook_url"] for rule in found if "annotations" in rule]
    assert {link.rpartition("/")[0] for link in links} == {"https://wiki.example.org/tailgate"}


def test_three_dashboards_are_found_by_grafana() -> None:
    maps = [
        m
        for m in of_kind(rendered(MONITORING), "ConfigMap")
        if m["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    assert sorted(name for m in maps for name in m["data"]) == [
        "tailgate-model_owner.json",
        "tailgate-oncall.json",
        "tailgate-rollout.json",
    ]


def test_targets_are_found_by_port_names_that_pods_have() -> None:
    documents = [*rendered(MONITORING), *rendered(SIDECAR)]
    named = {
        port["name"] for _, pod in pods(documents) for c in containers(pod) for port in c.get("ports", ())
    }
    asked = {e["port"] for m in of_kind(documents, "ServiceMonitor") for e in m["spec"]["endpoints"]}
    asked |= {e["port"] for m in of_kind(documents, "PodMonitor") for e in m["spec"]["podMetricsEndpoints"]}
    assert asked <= named


def test_gates_ask_this_release_about_this_route() -> None:
    web, prometheus = sorted(
        of_kind(rendered(GATES), "AnalysisTemplate"), key=lambda t: len(t["spec"]["args"])
    )
    assert web["spec"]["args"] == [{"name": "monitor", "value": "http://tailgate-monitor.llm:9870"}]
    assert prometheus["spec"]["args"][0] == {"name": "route", "value": "chat"}
    (template,) = of_kind(rendered(GATES), "MetricTemplate")
    assert template["spec"]["provider"]["address"] == "http://thanos-query.monitoring:9090"


def test_jobs_are_off_by_default_and_three_when_asked_for() -> None:
    assert of_kind(rendered(), "CronJob") == []
    names = [job["metadata"]["name"] for job in of_kind(rendered(JOBS), "CronJob")]
    assert names == ["tailgate-selftest", "tailgate-probe", "tailgate-report"]


def test_probes_ask_packs_that_exist_and_tell_the_monitor_of_this_release() -> None:
    (job,) = (j for j in of_kind(rendered(JOBS), "CronJob") if j["metadata"]["name"] == "tailgate-probe")
    arguments = containers(job["spec"]["jobTemplate"]["spec"]["template"]["spec"])[0]["args"]
    told = dict(itertools.pairwise(arguments))
    assert told["--monitor"] == "http://tailgate-monitor.llm:9870"
    asked = [value for option, value in itertools.pairwise(arguments) if option == "--pack"]
    assert asked
    assert set(asked) <= set(NAMES)


@pytest.mark.parametrize(
    "path",
    sorted((DEPLOY / "argo").glob("*.yaml")) + sorted((DEPLOY / "flagger").glob("*.yaml")),
    ids=lambda p: p.name,
)
def test_examples_for_controllers_are_valid(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        check(document)
