"""Alert rules, dashboard and runbook: each alert fires, has its page, and every metric exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from ruamel.yaml import YAML

from models.refusal import CLI
from tests.command import environment

if TYPE_CHECKING:
    from streams.local import Broker, Store
    from streams.settings import Settings

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules.yml"
CASES = PROMETHEUS / "rules_test.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"
METRIC = r"\b(?:likewave|process)_\w+"


def read(path: Path) -> Any:
    """Read a YAML file."""
    return YAML(typ="safe").load(path)


def rules() -> list[dict[str, Any]]:
    """Give all alert rules."""
    return [rule for group in read(RULES)["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Give the panels of the dashboard, without the headings between them."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "likewave.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Give the queries of the dashboard as Prometheus gets them."""
    return [
        target["expr"].replace("$__rate_interval", "1m")
        for panel in panels()
        for target in panel["targets"]
    ]


def promtool(*arguments: str | Path) -> str:
    """Run promtool."""
    return run("promtool", "prometheus", *arguments)


def run(program: str, package: str, *arguments: str | Path) -> str:
    """Run a program; where it is missing skip on a person's machine and fail in CI."""
    if shutil.which(program) is None and not os.environ.get("CI"):
        pytest.skip(f"{program} is missing: Debian has it in the package {package}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_history_fires_its_alerts_and_no_other() -> None:
    """The histories of rules_test.yml end with the alerts that stand below them."""
    promtool("test", "rules", CASES)


def test_the_sample_configuration_is_valid() -> None:
    """Prometheus reads the configuration, and the rules that it names."""
    assert f"{len(rules())} rules found" in promtool(
        "check", "config", PROMETHEUS / "prometheus.yml"
    )


def test_a_cause_holds_its_consequences_back() -> None:
    """What inhibits is an alert of ours, and stands before what it inhibits."""
    run("amtool", "prometheus-alertmanager", "check-config", PROMETHEUS / "alertmanager.yml")
    order = [rule["alert"] for rule in rules()]
    for rule in read(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]:
        causes, consequences = (
            [order.index(name) for name in re.findall(r"Likewave\w+", str(rule[side]))]
            for side in ("source_matchers", "target_matchers")
        )
        assert max(causes) < min(consequences)


def test_what_comes_and_goes_is_told_once() -> None:
    """Alerts that come within seconds are held for 30 s; what is slow looks back by itself."""
    fast, slow = read(RULES)["groups"]

    assert {rule.get("keep_firing_for") for rule in fast["rules"]} == {"30s"}
    assert {rule.get("keep_firing_for") for rule in slow["rules"]} == {None}


def test_every_alert_fires_in_a_history() -> None:
    """No alert is without a history in which it fires."""
    fired = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))

    assert fired == {rule["alert"] for rule in rules()}


def test_every_alert_has_a_section_of_the_runbook() -> None:
    """Alerts and sections are the same, in the same order, and each alert links to its own."""
    sections = re.findall(r"^## (Likewave\w+)$", RUNBOOK.read_text(), re.MULTILINE)

    assert [rule["alert"] for rule in rules()] == sections
    for rule in rules():
        link = f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == link
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_section_says_what_somebody_needs_at_night() -> None:
    """Each has what it means, what users notice, what to run first, the remedy, and its end."""
    parts = ["It means", "Users notice", "Run first", "Remedy", "It is over when"]
    for section in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        if name.startswith("Likewave"):
            assert re.findall(r"^\*\*(.+?)\.?\*\*", text, re.MULTILINE) == parts, name


def test_the_store_knows_what_the_runbook_asks(store: Store) -> None:
    """What is to be typed at redis-cli is a command of the store."""
    text = re.sub(r"\s+", " ", RUNBOOK.read_text().replace("\n\n", " `"))
    asked = re.findall(r"redis-cli (-u \S+ \S+ \S+ )?([^`]*)", text)
    commands = [command for _, command in asked if re.match("[A-Z]", command)]
    with redis.Redis.from_url(store.url) as client:
        for command in commands:
            client.execute_command(*shlex.split(command))
        assert client.info("cpu")["used_cpu_user_main_thread"] >= 0
    assert {address for address, _ in asked} == {'-u "$(likewave config redis)" '}
    assert f"redis-cli {asked[0][0]}".strip() == CLI
    assert "FLUSHDB" in commands


def test_the_runbook_shows_the_pid_of_a_server_as_printed(
    settings: Settings, store: Store, broker: Broker, tmp_path: Path
) -> None:
    """What is to be typed for it has the port in it, whoever is asked for."""
    if shutil.which("ss") is None:
        pytest.skip("ss is missing: Debian has it in the package iproute2")
    named = re.findall(r"`(ss -ltnp \"sport[^`]+\")`", RUNBOOK.read_text())
    likewave = f'likewave() {{ {sys.executable} -m streams.cli "$@"; }}'
    with socket.create_server(("127.0.0.1", 0)) as monitor:
        ours = settings.model_copy(update={"monitor_port": monitor.getsockname()[1]})
        shown = [
            subprocess.check_output(
                ["bash", "-c", f"{likewave}; {command}"],
                cwd=tmp_path,
                env=environment(ours),
                text=True,
            )
            for command in named
        ]

    pids = [re.findall(r"pid=(\d+)", one) for one in shown]
    assert pids == [[str(os.getpid())], [str(store.pid)], [str(broker.pid)]]


def test_every_metric_is_documented() -> None:
    """What rules and dashboard ask for stands in docs/metrics.md."""
    documented = set(re.findall(rf"`({METRIC})`", (ROOT / "docs" / "metrics.md").read_text()))
    asked = [rule["expr"] for rule in rules()] + queries()
    named = {name for query in asked for name in re.findall(METRIC, query)}

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= documented


def test_every_panel_says_what_it_shows() -> None:
    """A panel has a title, a unit and queries; titles and places are its own."""
    for panel in panels():
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["expr"] for target in panel["targets"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    assert len({str(panel["gridPos"]) for panel in panels()}) == len(panels())


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """The dashboard's queries are valid."""
    recorded = [{"record": f"query:{n}", "expr": expr} for n, expr in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]}))

    assert f"{len(queries())} rules found" in promtool("check", "rules", path)
