"""The manifests for Kubernetes: rendered by the real kustomize, valid by the real schemas, as careful as they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import trustme
import yaml

from cbi_common.runtime.accounts import accounts, users, variable
from cbi_common.runtime.nats_server import binary
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import JOBS, stream_of

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
KUBECTL = str(Path(sys.executable).parent / "kubectl")
VERSIONS = ("1.30", "1.33", "1.36")
OUR_KINDS = {"ScaledObject"}
"""What an operator that must be installed defines: its schema is not Kubernetes' own."""
SERVED = {"serving", "scenarios"}

Manifest = dict[str, Any]


def rendered(folder: str) -> list[Manifest]:
    done = subprocess.run([KUBECTL, "kustomize", str(KUBERNETES / folder)], capture_output=True, text=True, check=True)
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


@pytest.fixture(scope="module", params=["base", "overlays/production"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


@pytest.fixture(scope="module")
def base() -> list[Manifest]:
    return rendered("base")


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] in kinds}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, manifest in of_kind(manifests, "Deployment", "StatefulSet").items():
        yield name, manifest["spec"]["template"]["spec"]


def settings_of(manifests: list[Manifest], container: Manifest) -> dict[str, str]:
    maps = of_kind(manifests, "ConfigMap")
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= maps[source["configMapRef"]["name"]]["data"]
    return found | {entry["name"]: str(entry["value"]) for entry in container.get("env", []) if "value" in entry}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_its_schema(manifests: list[Manifest], version: str) -> None:
    seen = set()
    for manifest in manifests:
        if manifest["kind"] not in OUR_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)
            seen.add(manifest["kind"])
    assert {"Deployment", "StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget", "ConfigMap"} <= seen


def test_a_wrong_field_would_be_found(base: list[Manifest]) -> None:
    nats = of_kind(base, "StatefulSet")["nats"]
    wrong = {**nats, "spec": {**nats["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_service_has_a_deployment_with_its_own_user_and_password_alone(manifests: list[Manifest]) -> None:
    deployments = dict(pods(manifests))
    assert deployments.keys() == {service.name for service in installed()} | SERVED | {"nats"}
    for name, pod in deployments.items():
        if name == "nats":
            continue
        (container,) = pod["containers"]
        user = "serving" if name in SERVED else name
        assert settings_of(manifests, container)["CBI_NATS_USER"] == user
        secrets = {v["name"]: v["secret"] for v in pod["volumes"] if "secret" in v}
        assert [item["key"] for item in secrets["password"]["items"]] == [variable(user)]
        assert container["args"][: 1 if name in SERVED else 2] == (["serve"] if name in SERVED else ["service", name])


def test_every_variable_is_a_setting_and_none_is_a_secret(manifests: list[Manifest]) -> None:
    known = {f"CBI_{name.upper()}" for name in Settings.model_fields}
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            given = settings_of(manifests, container)
            assert {v for v in given if v.startswith("CBI_")} <= known, name
            read = {v.removeprefix("CBI_").lower(): text for v, text in given.items() if v.startswith("CBI_")}
            Settings.load(**{field: text for field, text in read.items() if "CHANGE-ME" not in text})
    assert not of_kind(manifests, "Secret")
    assert not re.search(r"(password|token): ['\"]?[A-Za-z0-9+/]{12}", yaml.safe_dump(manifests))


def test_every_container_is_locked_up(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            locked = container["securityContext"]
            assert locked["allowPrivilegeEscalation"] is False
            assert locked["readOnlyRootFilesystem"] is True
            assert locked["capabilities"] == {"drop": ["ALL"]}
            assert ":" in container["image"]
            assert not container["image"].endswith(":latest")


def test_every_container_is_watched_and_bounded(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        assert pod["terminationGracePeriodSeconds"] >= 30, name
        for container in pod["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                (how,) = (container[probe][kind] for kind in ("httpGet", "tcpSocket") if kind in container[probe])
                assert how["port"] in ports
            volumes = {volume["name"] for volume in pod["volumes"]} | {"data"}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_nobody_speaks_to_anybody_unless_it_is_said(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {
        name: sorted({str(p["port"]) for rule in policy["spec"].get("ingress", []) for p in rule["ports"]})
        for name, policy in policies.items()
    }
    assert ports["bus"] == ["4222", "6222", "8222"]
    assert ports["services"] == ["9100"]
    assert ports["page"] == ["8050"]
    outside = [
        rule for policy in policies.values() for rule in policy["spec"].get("ingress", []) if not rule.get("from")
    ]
    assert outside == []


def test_the_bus_is_three_and_keeps_its_majority(manifests: list[Manifest]) -> None:
    nats = of_kind(manifests, "StatefulSet")["nats"]
    settings = {k: v for m in of_kind(manifests, "ConfigMap").values() for k, v in m["data"].items()}
    assert nats["spec"]["replicas"] == int(settings["CBI_BUS_REPLICAS"]) == 3
    assert of_kind(manifests, "PodDisruptionBudget")["nats"]["spec"]["minAvailable"] == 2
    (spread,) = nats["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    for number in range(3):
        assert f"nats-{number}.{nats['spec']['serviceName']}:6222" in settings["nats.conf"]


def test_trainers_follow_the_queue_that_there_is(manifests: list[Manifest]) -> None:
    scaled = of_kind(manifests, "ScaledObject")["trainer-cpu"]["spec"]
    (trigger,) = scaled["triggers"]
    (trainer,) = (service for service in installed() if service.name == "trainer-cpu")
    consumers = [s.durable for s in trainer.subscriptions if stream_of(s.event.subject) == JOBS]
    assert trigger["type"] == "nats-jetstream"
    assert [trigger["metadata"]["consumer"]] == consumers
    assert trigger["metadata"]["stream"] == JOBS
    pod = dict(pods(manifests))["trainer-cpu"]
    assert settings_of(manifests, pod["containers"][0])["CBI_CORES"] == trigger["metadata"]["lagThreshold"]
    host, _, port = trigger["metadata"]["natsServerMonitoringEndpoint"].partition(":")
    service = of_kind(manifests, "Service")[host.partition(".")[0]]
    assert int(port) in [p["port"] for p in service["spec"]["ports"]]
    assert "replicas" not in of_kind(manifests, "Deployment")["trainer-cpu"]["spec"]
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]


@pytest.mark.parametrize("folder", ["base", "overlays/production"])
def test_the_servers_take_their_configuration(tmp_path: Path, folder: str) -> None:
    files = {k: v for m in of_kind(rendered(folder), "ConfigMap").values() for k, v in m["data"].items()}
    assert files["accounts.conf"] == accounts()
    written = files["nats.conf"].replace("/data", str(tmp_path / "data")).replace("/etc/nats-tls", str(tmp_path))
    (tmp_path / "nats.conf").write_text(written)
    (tmp_path / "accounts.conf").write_text(files["accounts.conf"])
    if "tls" in written:
        issued = trustme.CA().issue_cert("nats")
        issued.private_key_pem.write_to_path(tmp_path / "tls.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "ca.crt")
    passwords = {variable(user): "x" * 20 for user in users(installed())}
    done = subprocess.run(
        [binary(), "-t", "-c", str(tmp_path / "nats.conf")],
        env={**passwords, "ROUTE_PASSWORD": "y" * 20, "POD_NAME": "nats-0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_production_overlay_encrypts_the_bus_and_names_what_is_to_be_changed() -> None:
    manifests = rendered("overlays/production")
    text = yaml.safe_dump_all(manifests)
    images = [c["image"] for name, pod in pods(manifests) if name != "nats" for c in pod["containers"]]
    assert all(image.startswith("CHANGE-ME/") for image in images)
    assert "gs://CHANGE-ME/lake" in text
    for name, pod in pods(manifests):
        mounts = {mount["mountPath"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert ("/etc/nats-tls" if name == "nats" else "/run/tls") in mounts


def test_kubectl_is_the_pinned_one() -> None:
    assert shutil.which("kubectl", path=str(Path(sys.executable).parent)) == KUBECTL
