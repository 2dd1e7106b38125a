"""The parts of Vertex AI that a promotion uses, on the loopback interface, with failures on order."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_LOCATION = "projects/p/locations/us-central1"
_FAIL = {
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class Vertex:
    """Keeps models, their versions and endpoints, as the real service does, for one project and location."""

    def __init__(self) -> None:
        self.versions: list[dict[str, Any]] = []
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.failures: dict[str, list[int | str]] = {}
        """Verb (``models:upload``, ``endpoints``, ``deployModel``, ``traffic``) to what its next calls end in: a status
        code, ``operation`` (accepted, then failed) or ``lost`` (done, and the answer never arrives)."""
        self._operations: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._number = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body of one request."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            for pattern, verb, handle in self._routes():
                found = re.fullmatch(pattern, f"{method} {path}")
                if found:
                    return self._ordered(verb, lambda h=handle, f=found: h(f, query, body))  # type: ignore[misc]
        return _error(404, f"{method} {path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., tuple[int, dict[str, Any]]]]]:
        at = rf"/v1/{_LOCATION}"
        return [
            (rf"POST {at}/models:upload", "models:upload", self._upload),
            (rf"GET {at}/models/([a-z0-9-]+)(?:@([a-z0-9-]+))?", "", self._model),
            (rf"POST {at}/endpoints", "endpoints", self._create),
            (rf"GET {at}/endpoints/([a-z0-9-]+)", "", self._endpoint),
            (rf"POST {at}/endpoints/([a-z0-9-]+):deployModel", "deployModel", self._deploy),
            (rf"POST {at}/endpoints/([a-z0-9-]+):undeployModel", "undeployModel", self._undeploy),
            (rf"PATCH {at}/endpoints/([a-z0-9-]+)", "traffic", self._traffic),
            (r"GET /(?:v1|ui)/(.*operations/\d+)", "", self._operation),
        ]

    def _ordered(self, verb: str, do: Callable[[], tuple[int, dict[str, Any]]]) -> tuple[int, dict[str, Any]]:
        planned = self.failures.get(verb, [])
        end = planned.pop(0) if planned else None
        if isinstance(end, int):
            return _error(end, f"{verb} on order")
        if end == "operation":
            return self._started({}, error={"code": 3, "message": "the container did not start"})
        status, body = do()
        return (0, {}) if end == "lost" else (status, body)

    def _started(self, response: dict[str, Any], error: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        self._number += 1
        name = f"{_LOCATION}/operations/{self._number}"
        done = {"name": name, "done": True, **({"error": error} if error else {"response": response})}
        self._operations[name] = done
        return 200, {"name": name, "done": False}

    def _operation(self, found: re.Match[str], *_: Any) -> tuple[int, dict[str, Any]]:
        return 200, self._operations[found[1]]

    def _upload(self, _: re.Match[str], __: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        model_id = body.get("modelId") or body["parentModel"].rpartition("/")[2]
        mine = [v for v in self.versions if v["name"] == f"{_LOCATION}/models/{model_id}"]
        if body.get("modelId") and mine:
            return _error(409, f"model {model_id} already exists")
        version = str(len(mine) + 1)
        aliases = [*body["model"].get("versionAliases", []), *(["default"] if not mine else [])]
        dedicated = {"supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"]}
        model = {
            **body["model"],
            **dedicated,
            "name": f"{_LOCATION}/models/{model_id}",
            "versionId": version,
            "versionAliases": aliases,
        }
        self.versions.append(model)
        kind = "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse"
        return self._started({"@type": kind, "model": model["name"], "modelVersionId": version})

    def _model(self, found: re.Match[str], *_: Any) -> tuple[int, dict[str, Any]]:
        wanted = found[2] or "default"
        for version in self.versions:
            mine = version["name"] == f"{_LOCATION}/models/{found[1]}"
            if mine and wanted in (version["versionId"], *version["versionAliases"]):
                return 200, version
        return _error(404, f"model {found[1]}@{wanted}")

    def _create(self, _: re.Match[str], query: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        endpoint_id = query.get("endpointId", "")
        name = f"{_LOCATION}/endpoints/{endpoint_id}"
        if name in self.endpoints:
            return _error(409, f"endpoint {endpoint_id} already exists")
        self.endpoints[name] = {**body, "name": name, "deployedModels": [], "trafficSplit": {}}
        return self._started(
            {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.Endpoint", **self.endpoints[name]}
        )

    def _endpoint(self, found: re.Match[str], *_: Any) -> tuple[int, dict[str, Any]]:
        endpoint = self.endpoints.get(f"{_LOCATION}/endpoints/{found[1]}")
        return _error(404, f"endpoint {found[1]}") if endpoint is None else (200, endpoint)

    def _deploy(self, found: re.Match[str], _: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        endpoint = self.endpoints[f"{_LOCATION}/endpoints/{found[1]}"]
        self._number += 1
        deployed = {**body["deployedModel"], "id": str(1000 + self._number)}
        endpoint["deployedModels"].append(deployed)
        split = {deployed["id"] if key == "0" else key: share for key, share in body.get("trafficSplit", {}).items()}
        endpoint["trafficSplit"] = {key: share for key, share in split.items() if share}
        kind = "type.googleapis.com/google.cloud.aiplatform.v1.DeployModelResponse"
        return self._started({"@type": kind, "deployedModel": deployed})

    def _undeploy(self, found: re.Match[str], _: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        endpoint = self.endpoints[f"{_LOCATION}/endpoints/{found[1]}"]
        if endpoint["trafficSplit"].get(body["deployedModelId"]):
            return _error(400, "it takes traffic")
        endpoint["deployedModels"] = [m for m in endpoint["deployedModels"] if m["id"] != body["deployedModelId"]]
        return self._started({"@type": "type.googleapis.com/google.cloud.aiplatform.v1.UndeployModelResponse"})

    def _traffic(self, found: re.Match[str], _: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        endpoint = self.endpoints[f"{_LOCATION}/endpoints/{found[1]}"]
        split = {key: int(share) for key, share in body["trafficSplit"].items()}
        if sum(split.values()) != 100 or not set(split) <= {m["id"] for m in endpoint["deployedModels"]}:
            return _error(400, f"traffic {split}")
        endpoint["trafficSplit"] = split
        return 200, endpoint


def _error(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": status, "message": message, "status": _FAIL.get(status, "INVALID_ARGUMENT")}}


@contextmanager
def served(vertex: Vertex) -> Iterator[str]:
    """Serve it; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, answer = vertex.answer(self.command, parts.path, query, body)
            if status == 0:
                self.close_connection = True
                return
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _any

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
