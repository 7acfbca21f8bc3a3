"""The files of a deployment say what the program says: no engine runs them here, so they are
compared with the settings, the roles, the packages and the metrics they are about."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import prometheus_client
import pytest
import yaml

from perptape import embedded_redis
from perptape.roles import ROLES
from runtime.settings import Settings, known_names

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
NGINX: Final = (ROOT / "deploy" / "nginx.conf").read_text()
# `postgres:16` may be another one tomorrow.
PINNED: Final = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+([.-][a-z0-9.-]+)?")
VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)[^}]*\}")


def ours() -> dict[str, dict[str, Any]]:
    return {name: item for name, item in SERVICES.items() if "build" in item}


def told() -> dict[str, str]:
    """Names and values of `.env.example`."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def is_known(name: str) -> bool:
    return name in known_names() or name in ("REDIS_URL", "DATABASE_URL") or (
        name.startswith("PERP_RPC_URLS_")
    )  # fmt: skip


def test_images_are_pinned() -> None:
    images = [item["image"] for item in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) > 8
    for image in images:
        assert PINNED.fullmatch(image), image
    version = PROJECT["project"]["version"]
    assert {item["image"] for item in ours().values()} == {f"perptape:{version}"}


def test_the_image_has_a_python_that_the_project_takes_and_all_of_the_project() -> None:
    (python,) = set(re.findall(r"^FROM python:(\d+\.\d+)", DOCKERFILE, re.MULTILINE))
    assert PROJECT["project"]["requires-python"] == f">={python}"
    assert f"/lib/python{python}/site-packages" in DOCKERFILE
    copied = set(re.findall(r"^COPY (\S+) \1$", DOCKERFILE, re.MULTILINE))
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert copied == packages | {"migrations", "web/dist"}
    assert "--require-hashes -r requirements.lock" in DOCKERFILE


def test_the_context_of_the_build_is_what_the_dockerfile_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE))
    assert lines[1] == "*"
    assert kept - {"web"} == copied
    for secret in (".env", ".data", ".git", ".venv"):
        assert not any(fnmatch(secret, pattern) for pattern in kept)


def test_it_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["perptape"]
    (uid,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    assert int(uid) > 0
    for service in ours().values():
        assert "user" not in service
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert any(mount.startswith(f"/data:uid={uid},") for mount in service["tmpfs"])


def test_ports_are_those_of_the_settings() -> None:
    http, metrics = (Settings.model_fields[name].default for name in ("http_port", "metrics_port"))
    assert re.findall(r"^EXPOSE (.*)", DOCKERFILE, re.MULTILINE) == [f"{http} {metrics}"]
    assert f"http://127.0.0.1:{metrics}/metrics" in DOCKERFILE
    for name in ("gateway-a", "gateway-b"):
        assert f"http://127.0.0.1:{http}/health/ready" in SERVICES[name]["healthcheck"]["test"][-1]
    assert set(re.findall(r"server 10\.0\.0\.\d+:(\d+)", NGINX)) == {str(http)}
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    targets = [
        target
        for job in scraped["scrape_configs"]
        for of_job in job["static_configs"]
        for target in of_job["targets"]
    ]
    roles = {name for name, item in ours().items() if item["command"] != ["migrate", "up"]}
    assert sorted(targets) == sorted(f"{name}:{metrics}" for name in roles)


def test_every_role_is_deployed_and_every_command_is_there() -> None:
    commands = [" ".join(item["command"]) for item in ours().values()]
    roles = {role.name for role in ROLES if not role.sandbox_only}
    assert set(commands) == roles | {"migrate up"}
    for role in ROLES:
        # A second one of a role that runs once would stand by for ever.
        assert commands.count(role.name) == 1 or role.replicated or role.sandbox_only
    for service in ours().values():
        if service["command"] != ["migrate", "up"]:
            assert service["depends_on"]["migrate"] == {
                "condition": "service_completed_successfully"
            }


def test_variables_are_settings_and_the_example_names_them_all() -> None:
    names = {name for item in ours().values() for name in item["environment"]}
    names |= set(re.findall(r"^ {4,}?(?:ENV )?(PERP_[A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    assert {"PERP_HTTP_HOST", "PERP_HOST_NAME", "DATABASE_URL"} <= names
    assert [name for name in names if not is_known(name)] == []
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(VARIABLE.findall(text)) == set(told())
    for name in told():
        if name.startswith("PERP_"):
            assert is_known(name)
    # Nothing secret has a value that somebody could leave as it is.
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "PERP_AUTH_KEYS"):
        assert told()[name] == ""
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text


def test_gateways_are_where_nginx_looks_for_them() -> None:
    (subnet,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    for name in ("a", "b"):
        service = SERVICES[f"gateway-{name}"]
        address = service["networks"]["inside"]["ipv4_address"]
        assert ip_address(address) in ip_network(subnet["subnet"])
        assert service["environment"]["PERP_HOST_NAME"] == name
        assert re.search(rf"upstream perptape_{name} {{\s+server {address}:", NGINX)
        proxy = SERVICES["nginx"]["networks"]["inside"]["ipv4_address"]
        assert service["environment"]["PERP_TRUSTED_PROXIES"] == proxy
    mounted = SERVICES["nginx"]["volumes"]
    main = (ROOT / "deploy" / "nginx-main.conf").read_text()
    for mount in mounted:
        source, target, mode = mount.split(":")
        assert (ROOT / source).is_file()
        assert mode == "ro"
        assert target == "/etc/nginx/nginx.conf" or f"include {target};" in main


def test_redis_is_configured_as_the_embedded_one() -> None:
    words = SERVICES["redis"]["command"][1:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    lines = embedded_redis._CONFIGURATION.splitlines()
    usual = dict(line.split(" ", 1) for line in lines)
    for name in ("appendonly", "appendfsync", "aof-load-truncated", "maxmemory-policy", "save"):
        assert given[f"--{name}"] == usual[name].strip('"'), name


# Alerts -------------------------------------------------------------------------------------------


def rules() -> Iterator[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
    for group in groups:
        yield from group["rules"]


@pytest.fixture(scope="module")
def metric_names() -> set[str]:
    """Of everything that roles count, as it stands on their pages."""
    import aggregator.recorder
    import aggregator.service
    import api.service
    import execution.service

    assert aggregator.service, aggregator.recorder
    assert api.service, execution.service
    found = set()
    for family in prometheus_client.REGISTRY.collect():
        found |= {family.name, *(sample.name for sample in family.samples)}
        if family.type == "counter":
            found.add(f"{family.name}_total")
        if family.type == "histogram":
            found |= {f"{family.name}_bucket", f"{family.name}_count", f"{family.name}_sum"}
    return found


def test_alerts_are_of_metrics_that_there_are(metric_names: set[str]) -> None:
    used = {name for rule in rules() for name in re.findall(r"\bperptape_\w+", rule["expr"])}
    assert len(used) > 10
    assert used <= metric_names


def test_what_a_monitor_asks_for_is_counted(metric_names: set[str]) -> None:
    """Request rates, latency by route, sockets, venues and their age, hits of caches, lag of the
    loop, waits for the pool, latency of Redis and Postgres."""
    assert metric_names >= {
        "perptape_http_requests_total",
        "perptape_http_request_seconds_bucket",
        "perptape_sockets_open",
        "perptape_venue_live",
        "perptape_venue_age_seconds",
        "perptape_cache_reads_total",
        "perptape_loop_lag_seconds_bucket",
        "perptape_pool_wait_seconds_bucket",
        "perptape_call_seconds_bucket",
    }


def test_every_alert_says_how_urgent_it_is_and_what_it_means() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
