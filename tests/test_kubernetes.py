"""The Kubernetes manifests: valid by the published schemas, and true to what they run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from streams.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.29", kubernetes_validate.latest_version())
LEAVE_S = 5  # a worker ends within that, docs/operations.md
CUSTOM = ("Kustomization", "ScaledObject")


def documents() -> list[Any]:
    """Read all manifests."""
    return [
        one for path in sorted(FOLDER.glob("*.yaml")) for one in YAML(typ="safe").load_all(path)
    ]


def of(kind: str) -> dict[str, Any]:
    """Give the manifests of one kind, by name."""
    return {one["metadata"]["name"]: one for one in documents() if one["kind"] == kind}


def pod(deployment: Any) -> Any:
    """Give what a deployment runs."""
    return deployment["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str) -> None:
    """Each agrees with the schemas of an old and of the newest Kubernetes, to the last field."""
    checked = [one for one in documents() if one["kind"] not in CUSTOM]
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)

    assert len(checked) > 10


def test_the_scaler_is_valid_and_ends_at_the_partitions() -> None:
    """By the fields that KEDA knows; more workers than partitions would stand idle."""
    (scaler,) = of("ScaledObject").values()
    schema = json.loads((ROOT / "tests" / "scaledobject.schema.json").read_bytes())
    jsonschema.validate(scaler, schema)

    assert scaler["spec"]["scaleTargetRef"]["name"] in of("Deployment")
    partitions = int(of("ConfigMap")["likewave"]["data"]["LIKEWAVE_PARTITIONS"])
    assert scaler["spec"]["maxReplicaCount"] == partitions


def test_all_files_but_the_sample_of_secrets_are_applied() -> None:
    """The kustomization names them."""
    named = set(YAML(typ="safe").load(FOLDER / "kustomization.yaml")["resources"])
    there = {path.name for path in FOLDER.glob("*.yaml")}

    assert there - named == {"kustomization.yaml", "secret.example.yaml"}
    assert named < there


def test_every_variable_is_a_setting() -> None:
    """Config map and secret hold settings, none of them twice; what is secret is in the secret."""
    config, secret = of("ConfigMap")["likewave"]["data"], of("Secret")["likewave"]["stringData"]
    told = {name.removeprefix("LIKEWAVE_") for name in (*config, *secret)}

    assert not set(config) & set(secret)
    assert told <= {name.upper() for name in Settings.model_fields}
    assert not any("PASSWORD" in name or "SECRET" in name for name in config)
    assert not any(re.search(r"://[^/]*:[^/]*@", value) for value in config.values())


@pytest.mark.parametrize("name", ["worker", "api", "monitor", "audit"])
def test_no_process_has_more_rights_than_it_needs(name: str) -> None:
    """Not root, nothing to write to but memory, no token of the cluster, memory bounded."""
    spec = pod(of("Deployment")[name])
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"]
    assert f"--uid {spec['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert spec["terminationGracePeriodSeconds"] > LEAVE_S


@pytest.mark.parametrize("name", ["worker", "api", "monitor"])
def test_probes_are_where_they_are_looked_for(name: str) -> None:
    """Whatever answers is probed, and ports of probes are ports of the container."""
    (container,) = pod(of("Deployment")[name])["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[probe] for probe in container if probe.endswith("Probe")]

    assert {probe["httpGet"]["port"] for probe in probes} <= ports
    assert {"startupProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("name", ["worker", "api", "monitor", "audit"])
def test_files_are_where_they_are_looked_for(name: str) -> None:
    """Mounts are volumes, and files lie in mounts."""
    spec = pod(of("Deployment")[name])
    (container,) = spec["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}

    assert set(mounts) == {volume["name"] for volume in spec["volumes"]}
    secrets = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert secrets <= set(of("Secret"))
    files = of("ConfigMap")["likewave"]["data"]["LIKEWAVE_KAFKA_CA_FILE"]
    assert files.startswith(mounts["ca"])


def test_the_audit_gives_way_and_can_reach_what_it_reads() -> None:
    """There is one, of bounded CPU; the network lets all processes out to Kafka and the store."""
    audit = of("Deployment")["audit"]
    (container,) = pod(audit)["containers"]
    (chosen,) = of("NetworkPolicy")["likewave"]["spec"]["podSelector"]["matchExpressions"]

    assert audit["spec"]["replicas"] == 1
    assert container["args"][:2] == ["audit", "--continuous"]
    assert container["resources"]["limits"]["cpu"]
    assert set(chosen["values"]) == set(of("Deployment"))


def test_services_and_budgets_select_what_runs() -> None:
    """Every selector meets a deployment, every port of a service one of its container."""
    deployments = of("Deployment")
    for one in (*of("Service").values(), *of("PodDisruptionBudget").values()):
        chosen = one["spec"]["selector"]
        name = chosen.get("matchLabels", chosen)["app.kubernetes.io/name"]
        (container,) = pod(deployments[name])["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in one["spec"].get("ports", ())} <= ports
    (ingress,) = of("Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"]["name"] in of("Service")
    assert of("ConfigMap")["likewave"]["data"]["LIKEWAVE_API_URL"] == f"https://{rule['host']}"
