"""The containers: valid for Compose, and the same topology as the local stack."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from ruamel.yaml import YAML

from streams.local import STORE_OPTIONS
from streams.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"


def services() -> dict[str, dict[str, object]]:
    """Read the services of the compose file."""
    found: dict[str, dict[str, object]] = YAML(typ="safe").load(COMPOSE)["services"]
    return found


def test_the_compose_file_is_valid() -> None:
    """The file agrees with the published schema of Compose."""
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_containers_run_the_broker_of_the_local_stack() -> None:
    """Container and jars are of the same Kafka version."""
    pom = ET.parse(ROOT / "deploy" / "broker-pom.xml")  # noqa: S314  our own file
    version = pom.findtext("dependencies/dependency[artifactId='kafka_2.13']/version")

    assert services()["kafka"]["image"] == f"apache/kafka:{version}"


def test_containers_run_the_store_with_the_options_of_the_local_stack() -> None:
    """The container's store keeps and refuses as the local one does; only its address differs."""
    words = re.findall(r"--(\S+) (\S+)", str(services()["valkey"]["command"]))
    options = {name: value.strip('"') for name, value in words}

    assert options == {name: value for name, value in STORE_OPTIONS.items() if name != "bind"}


def test_the_options_of_a_store_of_ones_own_are_those_of_the_local_stack() -> None:
    """What docs/deployment.md lists is what a local stack starts its store with."""
    section = (ROOT / "docs" / "deployment.md").read_text().split("## A store of one's own")[1]
    listed = re.findall(r"^\| `(\S+) (\S+)` \|", section.split("\n## ")[0], re.MULTILINE)
    options = {name: value for name, value in STORE_OPTIONS.items() if name != "bind"}

    assert {name: value.strip('"') for name, value in listed} == options


def test_profiles_add_to_what_always_runs() -> None:
    """Broker, store and worker run without a profile, the rest by name; no root is written to."""
    profiles: dict[str, set[str]] = {"": set()}
    for name, service in services().items():
        for profile in service.get("profiles", [""]):  # type: ignore[attr-defined]
            profiles.setdefault(profile, set()).add(name)

    assert profiles == {
        "": {"kafka", "valkey", "worker"},
        "api": {"api"},
        "ui": {"api"},
        "observability": {"monitor", "audit", "prometheus", "grafana"},
    }
    ours = [service for service in services().values() if service.get("build")]
    assert all(one["read_only"] for one in ours)


def test_whatever_answers_is_checked_for_health() -> None:
    """Of our own services the audit alone answers nobody; it gives way to those that do."""
    ours = {name: one for name, one in services().items() if one.get("build")}
    unchecked = {name for name, one in ours.items() if one["healthcheck"] == {"disable": True}}

    assert unchecked == {"audit"}
    assert [name for name, one in ours.items() if "cpu_shares" in one] == ["audit"]


def test_every_variable_is_a_setting() -> None:
    """What containers are told, they understand."""
    told = set(re.findall(r"LIKEWAVE_([A-Z_]+):", COMPOSE.read_text()))

    assert told <= {name.upper() for name in Settings.model_fields}


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """What is mounted there is there, and dashboards lie where the provider looks for them."""
    mounts = dict(str(mount).split(":")[:2] for mount in services()["grafana"]["volumes"])  # type: ignore[attr-defined]
    folders = {target: ROOT / source for source, target in mounts.items() if source[0] == "."}
    provisioned = [YAML(typ="safe").load(path) for path in (ROOT / "deploy/grafana").rglob("*.yml")]

    assert all(folder.is_dir() for folder in folders.values())
    (provider,) = [one["providers"][0] for one in provisioned if "providers" in one]
    assert provider["options"]["path"] in folders
    (source,) = [one["datasources"][0] for one in provisioned if "datasources" in one]
    assert source["url"].split("/")[2].partition(":")[0] in services()


def test_servers_are_checked_and_their_data_is_named() -> None:
    """Broker and store have a health check, a named volume, and ports on loopback alone."""
    volumes = YAML(typ="safe").load(COMPOSE)["volumes"]
    for name in ("kafka", "valkey"):
        service = services()[name]
        assert "healthcheck" in service
        assert {str(mount).partition(":")[0] for mount in service["volumes"]} <= set(volumes)
        assert all(str(port).startswith("127.0.0.1:") for port in service["ports"])


def test_the_monitor_is_there_for_this_machine_alone() -> None:
    """It comes back after an error, and its port is on loopback."""
    monitor = services()["monitor"]

    assert (monitor["command"], monitor["restart"]) == (["monitor"], "on-failure")
    assert monitor["ports"] == ["127.0.0.1:9108:9108"]


def test_a_worker_that_fails_starts_again_and_is_not_root() -> None:
    """The worker waits for healthy servers, comes back after an error, and is not root."""
    worker = services()["worker"]

    assert worker["restart"] == "on-failure"
    assert worker["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "valkey": {"condition": "service_healthy"},
    }
    assert re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == [
        "likewave"
    ]
