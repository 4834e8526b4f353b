"""The files for those who run the shop with Docker say the same as the rest of the project."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = ("prepare", "web", "worker", "payouts", "beat")
WANTED = {
    *("nginx", "web", "worker", "payouts", "beat", "mongo1", "mongo2", "mongo3", "redis", "elasticsearch"),
    *("bitcoind", "lnd", "litecoind", "mailpit"),
}


def test_the_compose_file_has_all_services_of_a_shop():
    assert set(SERVICES) >= WANTED
    assert SERVICES["web"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_the_containers_of_the_shop_run_with_the_least_privileges(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service


def test_the_docker_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER shop" in lines[lines.index("COPY . /shop") :]
    assert "--require-hashes" in " ".join(lines)


def test_every_image_has_a_pinned_version():
    for name, service in SERVICES.items():
        assert re.search(r":v?\d", service["image"]) or name in OURS, service["image"]


KNOWN = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
OF_THE_CONTAINER = {"HOST", "PORT", "DATA_DIR", "CRYPTONS_DOTENV"}
FOR_ONE_ALONE = {
    "ADMIN_PASSWORD": "prepare",
    "BITCOIN_PAYOUT_WALLET": "payouts",
    "LITECOIN_PAYOUT_WALLET": "payouts",
    "LND_PAYOUT_MACAROON": "payouts",
}


@pytest.mark.parametrize("name", OURS)
def test_each_container_of_the_shop_gets_each_setting_of_the_env_file_that_it_needs(name):
    service = SERVICES[name]
    given = {setting: str(value) for setting, value in service["environment"].items()}
    fixed = {setting for setting, value in given.items() if f"${{{setting}" not in value}
    withheld = {setting for setting, service in FOR_ONE_ALONE.items() if service != name}

    assert service["env_file"] == ["${ENV_FILE:-.env}"]
    assert set(given) <= KNOWN
    assert fixed == OF_THE_CONTAINER | withheld
    assert all(given[setting] == "" for setting in withheld)


def test_nothing_that_the_compose_file_starts_has_a_password_that_others_know():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    used = set(re.findall(r"\$\{([A-Z_]+_(?:PASS|PASSWORD|KEY))\b", text))
    assert used == required
    assert "--requirepass" in SERVICES["redis"]["command"]
    assert all("--keyFile" in SERVICES[name]["command"][0] for name in ("mongo1", "mongo2", "mongo3"))
    assert SERVICES["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    assert re.findall(r"_(?:PASS|PASSWORD|KEY):?-", text) == []


def test_each_part_reaches_only_the_parts_that_it_needs():
    members = {network: {name for name, service in SERVICES.items() if network in service["networks"]} for network in COMPOSE["networks"]}

    assert members["front"] == {"nginx", "web"}
    assert members["data"] == {*OURS, "mongo1", "mongo2", "mongo3", "mongo-init", "redis", "elasticsearch"}
    assert members["nodes"] == {*OURS, "bitcoind", "bitcoin-init", "litecoind", "litecoin-init", "lnd"}
    assert members["mail"] == {"worker", "mailpit"}
    assert COMPOSE["networks"]["data"] == {"internal": True}


def test_nginx_does_not_run_as_root():
    assert SERVICES["nginx"]["image"].startswith("nginxinc/nginx-unprivileged:")


@pytest.mark.parametrize("name", ["BITCOIN", "LITECOIN"])
def test_the_settings_of_a_node_are_read_from_the_env_file(name):
    settings = SERVICES["web"]["environment"]
    for each in ("NETWORK", "RPC_HOST", "RPC_USER", "RPC_PASS"):
        assert settings[f"{name}_{each}"].startswith(f"${{{name}_{each}")
    assert re.fullmatch(rf"\${{{name}_RPC_HOST-\w+}}", settings[f"{name}_RPC_HOST"])  # not `:-`: set to nothing it is off


def test_the_proxy_passes_on_the_address_and_the_scheme_of_the_visitor():
    proxy = (ROOT / "deploy/nginx/cryptons.conf").read_text(encoding="utf-8")
    believed = SERVICES["web"]["environment"]["TRUSTED_PROXIES"].removeprefix("${TRUSTED_PROXIES:-").removesuffix("}")
    assert f"set_real_ip_from {believed};" in proxy
    assert "real_ip_header X-Forwarded-For;" in proxy
    assert "X-Forwarded-Proto $visitors_scheme;" in proxy
    assert re.findall(r"^geo \$realip_remote_addr \$is_of_proxy {\n    (\S+) 1;\n    default 0;", proxy, re.MULTILINE) == [believed]
    assert re.findall(r'"([^"]*)" https;', proxy) == ["1 https"]


def test_files_come_from_the_shop_with_the_headers_of_every_answer():
    """nginx would send them without, and would need the volume with everything that the shop stores."""
    proxy = (ROOT / "deploy/nginx/cryptons.conf").read_text(encoding="utf-8")
    assert re.findall(r"location (\S+) {", proxy) == ["/"]
    assert not any(volume.startswith("shop:") for volume in SERVICES["nginx"]["volumes"])


def test_nginx_redirects_to_https_and_speaks_tls_1_3():
    proxy = (ROOT / "deploy/nginx/tls.conf").read_text(encoding="utf-8")
    assert "return 301 https://shop.example$request_uri;" in proxy
    assert re.findall(r"ssl_protocols (.*);", proxy) == ["TLSv1.3"]
    assert "X-Forwarded-Proto https;" in proxy
    assert "X-Forwarded-For $remote_addr;" in proxy


@pytest.mark.parametrize("name", ["cryptons.conf", "tls.conf"])
def test_the_logs_of_nginx_have_no_keys_of_private_links(name):
    proxy = (ROOT / "deploy/nginx" / name).read_text(encoding="utf-8")
    pattern, shown = re.findall(r'^    "~(\S+)" "(.*)";$', proxy, re.MULTILINE)[0]
    key = "k" * 43

    def logged(path: str) -> str:
        found = re.search(pattern.replace("(?<", "(?P<"), path)
        return shown.replace("$before", found["before"]).replace("$after", found["after"]) if found else path

    assert logged(f"/orders/{key}/") == "/orders/-/"
    assert logged(f"/de/orders/{key}/cancel/") == "/de/orders/-/cancel/"
    assert logged(f"/refund/{key}/") == "/refund/-/"
    assert logged(f"/de/account/link/{key}.{key}/") == "/de/account/link/-/"
    assert logged(f"/de/reviews/no-mails/{key}:1x:{key}/") == "/de/reviews/no-mails/-/"
    assert logged("/account/orders/") == "/account/orders/"
    (line,) = re.findall(r"log_format without_keys '(.*)';", proxy)
    assert not set(re.findall(r"\$\w+", line)) & {"$request", "$request_uri", "$uri", "$args", "$http_referer"}
    assert all(log.endswith("without_keys") or log == "off" for log in re.findall(r"access_log (.*);", proxy))


def test_published_ports_are_reachable_from_this_machine_only():
    for service in SERVICES.values():
        assert all("127.0.0.1:" in port for port in service.get("ports", []))


def test_every_file_that_the_compose_file_mounts_exists():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).is_file(), volume


def test_the_workflow_runs_every_test_suite():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    commands = {name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()}

    assert workflow["permissions"] == {"contents": "read"}
    assert jobs["test"]["strategy"]["matrix"]["database"] == ["sqlite", "postgres", "mongodb"]
    assert jobs["test"]["services"]["postgres"]["image"] == "postgres:17"
    assert "mongo:8 --replSet rs0" in commands["test"]
    for name, command in {
        "check": ["make lint", "make types", "make messages ARGS=--check", "make locks", "actionlint", "docker compose config"],
        "test": ["make test DB="],
        "stack": ["get-bitcoind.sh", "get-lnd.sh", "get-elasticsearch.sh", "get-mongo-api.sh", "make test-stack"],
        "browser": ["make test-e2e"],
        "image": ["docker build"],
    }.items():
        assert all(part in commands[name] for part in command), name


@pytest.mark.parametrize("job", ["stack", "browser"])
def test_the_workflow_installs_npm_where_tests_need_it(job):
    """For get-standardwebhooks.sh and its receiver in Node, get-api-tools.sh, and get-axe.sh."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))

    packages = workflow["jobs"][job]["steps"][0]["run"]
    assert packages.startswith("apt-get")
    assert "npm" in packages.split()


@pytest.mark.parametrize("tool", ["standardwebhooks", "api-tools"])
def test_the_workflow_keeps_what_npm_and_pip_installed_for_the_next_run(tool):
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["stack"]["steps"]
    (kept,) = [step["with"]["path"].split() for step in steps if step.get("uses", "").startswith("actions/cache@")]
    folder = re.search(r"\.cache/([a-z-]+)\$", (ROOT / f"tests/stack/tools/get-{tool}.sh").read_text(encoding="utf-8"))

    assert folder
    assert f"~/.cache/{folder[1]}*" in kept


def test_the_workflow_plays_as_many_sequences_as_the_ci_script_in_a_pull_request_and_more_on_main():
    test = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    rows = {row.pop("database"): row for row in test["strategy"]["matrix"]["include"]}
    in_script = re.findall(r"test(?: DB=(\w+))? SEQUENCES=(\d+)(?: [&#].*)?$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M)

    chosen = "${{ github.event_name == 'pull_request' && matrix.quick || matrix.sequences }}"
    assert chosen in [step.get("env", {}).get("SEQUENCES") for step in test["steps"]]
    assert {name: row["sequences"] for name, row in rows.items()} == {"sqlite": 2000, "postgres": 100, "mongodb": 100}
    assert {name: row["quick"] for name, row in rows.items()} == {database or "sqlite": int(count) for database, count in in_script}


def test_the_workflow_and_the_ci_script_use_the_same_version_of_actionlint():
    versions = {
        re.search(r"actionlint@(\S+)", (ROOT / path).read_text(encoding="utf-8")).group(1)
        for path in (".github/workflows/tests.yml", ".ci/run")
    }
    assert len(versions) == 1
