"""The files in deploy name settings, commands and images' users that exist, and hold no secret."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from agent.settings import PREFIX, Settings
from tests.contracts.test_imports import ROOT
from tests.contracts.test_readme import command_names

DEPLOY = ROOT / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
DOCKERFILES = sorted(DEPLOY.glob("Dockerfile.?pu"))
CHART = DEPLOY / "chart"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
INTERPOLATED = re.compile(r"\$\{([A-Z_]+):(?:-([^}]*)|\?[^}]*)\}")
"""A variable, and its default if it has one."""
IMAGE = "NIGHTSCHOOL_IMAGE"
"""A variable of compose.yaml, and no setting."""
REFERENCE = re.compile(r"\{\{ (\.[A-Za-z.]+)( \| quote)? \}\}")
"""All that the chart's templates use of Helm's language, so that a test can render them without Helm."""


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return found


def ours() -> Iterator[tuple[str, dict[str, Any]]]:
    """The services of compose.yaml that run Nightschool."""
    for name, service in services(DEPLOY / "compose.yaml").items():
        if IMAGE in service["image"]:
            yield name, service


@cache
def rendered() -> tuple[dict[str, Any], ...]:
    """The chart's manifests with its default values."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def value(match: re.Match[str]) -> str:
        root, *path = match[1].removeprefix(".").split(".")
        found: Any = {"Values": values, "Release": {"Name": "release"}}[root]
        for part in path:
            found = found[part]
        return f'"{found}"' if match[2] else str(found)

    manifests: list[dict[str, Any]] = []
    for template in sorted((CHART / "templates").iterdir()):
        text = REFERENCE.sub(value, template.read_text())
        assert "{{" not in text, f"{template.name} uses more of Helm's language than this test renders"
        manifests += yaml.safe_load_all(text)
    return tuple(manifests)


def pods() -> dict[str, dict[str, Any]]:
    """The pods of the chart, by the name of their only container."""
    specs = [each["spec"]["template"]["spec"] for each in rendered() if each["kind"] == "Deployment"]
    return {spec["containers"][0]["name"]: spec for spec in specs}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_setting_in_the_files_exists(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {IMAGE}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text())) <= known


def test_every_command_in_the_files_exists() -> None:
    commands = [service["command"] for _, service in ours()]
    commands += [pod["containers"][0]["command"] for pod in pods().values()]
    commands += [
        re.findall(r'"([^"]+)"', line)
        for path in DOCKERFILES
        for line in path.read_text().splitlines()
        if line.startswith("CMD")
    ]
    assert len(commands) == 10
    for command in commands:
        assert (command[0], " ".join(command[1:]) in command_names()) == ("nightschool", True), command


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_files_are_valid(path: Path) -> None:
    """By the Compose specification, as Docker reads them: variables filled in, then anchors merged."""
    whole = yaml.safe_load(INTERPOLATED.sub(lambda match: match[2] or "filled", path.read_text()))
    assert PyCompose.from_json(json.dumps(whole)).service_names()
    whole["services"]["api"]["restrat"] = "always"
    with pytest.raises(ValueError, match="restrat"):
        PyCompose.from_json(json.dumps(whole))


def test_services_depend_on_services_that_exist_and_are_checked_as_they_are_waited_for() -> None:
    all_services = services(DEPLOY / "compose.yaml")
    assert set(services(DEPLOY / "compose.gpu.yaml")) <= set(all_services)
    for name, service in all_services.items():
        for other, waited in service.get("depends_on", {}).items():
            if waited["condition"] == "service_healthy":
                assert "healthcheck" in all_services[other], f"{name} waits for {other}"
    assert "/readyz" in str(all_services["api"]["healthcheck"])
    assert all_services["api"]["deploy"]["replicas"] == 2


def test_our_containers_run_as_nobody_in_particular() -> None:
    for path in DOCKERFILES:
        users = [line.split()[1] for line in path.read_text().splitlines() if line.startswith("USER")]
        assert users == ["10001"], path
    for name, service in ours():
        assert service["user"] == "10001:10001", name
        assert (service["cap_drop"], "privileged" in service) == (["ALL"], False), name
    for pod in pods().values():
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_each_process_has_the_database_role_of_its_own() -> None:
    roles = {
        name: sorted(
            re.findall(r"postgresql://(\w+):", " ".join(map(str, service.get("environment", {}).values())))
        )
        for name, service in ours()
    }
    assert roles == {
        "owner": ["owner"],
        "engine": [],
        "worker": ["nightschool_worker"],
        "console": [],
        "api": ["nightschool_api", "nightschool_approver"],
    }
    sql = (DEPLOY / "roles.sql").read_text()
    assert all(role in sql for named in roles.values() for role in named if role != "owner")


def test_passwords_come_from_the_environment_and_have_no_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for line in text.splitlines():
        if re.search(r"PASSWORD|SECRET|AUTH|://\w*:[^/]*@", line) and not line.lstrip().startswith("#"):
            assert re.search(r"\$\{\w+_PASSWORD:\?", line), line
    assert {name for name, _ in INTERPOLATED.findall(text) if name.endswith("PASSWORD")} == set(
        re.findall(r"^(\w+_PASSWORD)=", (DEPLOY / "README.md").read_text(), re.MULTILINE)
    )
    values = (CHART / "values.yaml").read_text()
    assert not re.search(r"^\s*\w*(password|token|key):", values, re.IGNORECASE | re.MULTILINE)


def test_only_the_api_has_a_port_and_on_this_machine_only() -> None:
    published = {
        name: [port["host_ip"] for port in service["ports"]]
        for name, service in services(DEPLOY / "compose.yaml").items()
        if "ports" in service
    }
    assert published == {"api": ["127.0.0.1"]}


def test_the_chart_probes_readiness_and_mounts_what_it_claims() -> None:
    assert sorted(pods()) == ["api", "console", "worker"]
    api = pods()["api"]["containers"][0]
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["livenessProbe"]["httpGet"]["path"] == "/healthz"
    claims = {each["metadata"]["name"] for each in rendered() if each["kind"] == "PersistentVolumeClaim"}
    for pod in pods().values():
        volumes = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]}
        assert set(volumes.values()) == claims
        assert {each["name"] for each in pod["containers"][0]["volumeMounts"]} == set(volumes)
    for each in rendered():
        if each["kind"] == "Deployment":
            labels = each["spec"]["template"]["metadata"]["labels"]
            assert each["spec"]["selector"]["matchLabels"] == labels
    (service,) = [each for each in rendered() if each["kind"] == "Service"]
    assert service["spec"]["selector"] == {"app": "release-api"}
    assert service["spec"]["ports"][0]["targetPort"] in [port["name"] for port in api["ports"]]


def test_the_console_reaches_the_api_by_a_name_that_it_trusts() -> None:
    compose = services(DEPLOY / "compose.yaml")
    host = compose["console"]["environment"]["NIGHTSCHOOL_API_HOST"]
    assert host in compose
    assert compose[host]["environment"]["NIGHTSCHOOL_TRUSTED_HOSTS"].endswith(f",{host}")
    set_in = {
        name: {each["name"]: each["value"] for each in pod["containers"][0].get("env", ())}
        for name, pod in pods().items()
    }
    host = set_in["console"]["NIGHTSCHOOL_API_HOST"]
    assert host in [each["metadata"]["name"] for each in rendered() if each["kind"] == "Service"]
    assert set_in["api"]["NIGHTSCHOOL_TRUSTED_HOSTS"].endswith(f",{host}")


def test_kubernetes_sets_none_of_our_settings() -> None:
    """For a Service `nightschool-api` it would set NIGHTSCHOOL_API_PORT, to a URL."""
    assert all(pod["enableServiceLinks"] is False for pod in pods().values())


def test_images_hold_what_the_package_needs_and_nothing_of_the_clone_besides() -> None:
    for path in DOCKERFILES:
        ignored = path.with_name(path.name + ".dockerignore").read_text().splitlines()
        assert ignored[0] == "*"
        kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
        assert all((ROOT / name).exists() for name in kept)
        assert kept >= {"agent", "api", "graphs", "memory", "training", "requirements", "pyproject.toml"}
        assert not {".nightschool", ".git", "tests"} & kept
        kind = path.suffix.removeprefix(".")
        assert f"requirements/install.sh {kind}" in path.read_text()
