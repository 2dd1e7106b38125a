"""Serving on Vertex AI: files to Cloud Storage, a version in the Model Registry, an endpoint, a node, the traffic.

Whatever is made has a name that follows from the promotion, so a step that is done again finds what it made before,
even if the answer to the first call was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbi_common.core.errors import InfrastructureError, TransientError
from promoter.domain.champion import Serving
from promoter.domain.promotion import Facts, PlannedStep, Promotion
from promoter.domain.traffic import shrunk
from promoter.domain.vertex import Place, labels, model_id, node_cost

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import aiplatform, storage

_PORT = 8080
_TIMEOUT_S = 60.0


class VertexTarget:
    """Vertex AI in one project and location.

    Parameters
    ----------
    place : Place
    share : int
        Percent of the requests that a new version takes; the rest stays with those that serve already.
    credentials : google.auth.credentials.Credentials, optional
        None looks for the usual ones.
    endpoint, storage_endpoint : str, optional
        Other addresses than Google's, for tests.
    """

    name = "vertex"

    def __init__(
        self,
        place: Place,
        share: int = 100,
        *,
        credentials: Credentials | None = None,
        endpoint: str | None = None,
        storage_endpoint: str | None = None,
    ) -> None:
        self._place, self._share, self._credentials = place, share, credentials
        self._endpoint, self._storage_endpoint = endpoint, storage_endpoint

    def plan(self, promotion: Promotion) -> Sequence[PlannedStep]:
        """Return the steps; the node is what costs."""
        name, version, place = model_id(promotion.market, promotion.simulated), promotion.version, self._place
        cents = "a few cents a month"
        return (
            PlannedStep(name="files", says=f"copy the package to {self._uri(promotion)}", billable=True, cost=cents),
            PlannedStep(name="model", says=f"register it as version {version} of model {name} in {place.parent}"),
            PlannedStep(name="endpoint", says=f"make endpoint {name}, unless it is there"),
            PlannedStep(
                name="deploy",
                says=f"run {place.image} on one {place.machine}",
                billable=True,
                cost=node_cost(place.machine),
            ),
            PlannedStep(name="traffic", says=f"send {self._share} % of the requests to {version}"),
        )

    def perform(self, step: str, promotion: Promotion, folder: Path) -> Facts:
        """Do one step; each looks first what is there."""
        steps = {
            "files": self._files,
            "model": self._model,
            "endpoint": self._endpoint_step,
            "deploy": self._deploy,
            "traffic": self._traffic,
        }
        if step not in steps:
            raise InfrastructureError(f"no step {step!r}", where="target vertex", hint="report this as a bug")
        with _plainly(f"{step} of {promotion.version}"):
            return steps[step](promotion, folder)

    def activate(self, serving: Serving, market: str, *, simulated: bool) -> None:
        """Send all requests to a version that is deployed."""
        with _plainly(f"traffic to {serving.version}"):
            endpoint = self._found(model_id(market, simulated))
            deployed = {} if endpoint is None else self._deployed(endpoint)
            if endpoint is None or serving.version not in deployed:
                raise InfrastructureError(
                    f"{serving.version} is not deployed any more", where="target vertex", hint="promote its run again"
                )
            endpoint.update(traffic_split={deployed[serving.version]: 100})

    def retire(self, promotion: Promotion) -> None:
        """Take a version's node away, unless requests go to it; what is stored costs next to nothing and stays."""
        with _plainly(f"retiring {promotion.version}"):
            endpoint = self._found(model_id(promotion.market, promotion.simulated))
            if endpoint is None:
                return
            deployed = self._deployed(endpoint).get(promotion.version)
            if deployed is not None and not endpoint.traffic_split.get(deployed):
                endpoint.undeploy(deployed_model_id=deployed)

    def _files(self, promotion: Promotion, folder: Path) -> Facts:
        bucket = self._storage.bucket(self._place.bucket)
        prefix, files = self._prefix(promotion), sorted(path for path in folder.rglob("*") if path.is_file())
        for file in files:
            blob = bucket.blob(f"{prefix}/{file.relative_to(folder).as_posix()}")
            self._upload(blob, file)
        return {"uri": self._uri(promotion), "files": str(len(files))}

    def _upload(self, blob: storage.Blob, file: Path) -> None:
        from google.api_core.exceptions import PreconditionFailed

        try:
            # Only what is not there: an object of this name has this content, for the name holds its digest.
            blob.upload_from_filename(str(file), if_generation_match=0, timeout=_TIMEOUT_S)
        except PreconditionFailed:
            blob.reload(timeout=_TIMEOUT_S)
            if blob.size != file.stat().st_size:
                raise InfrastructureError(
                    "another file of that name is there", where=f"gs://{blob.bucket.name}/{blob.name}",
                    hint="remove it, or use another bucket",
                ) from None  # fmt: skip

    def _model(self, promotion: Promotion, _folder: Path) -> Facts:
        name = model_id(promotion.market, promotion.simulated)
        found = self._version(f"{name}@{promotion.version}")
        if found is None:
            parent = self._version(name)
            found = self._api.Model.upload(
                display_name=name,
                **({"model_id": name} if parent is None else {"parent_model": f"{self._place.parent}/models/{name}"}),
                artifact_uri=self._uri(promotion),
                serving_container_image_uri=self._place.image,
                serving_container_predict_route="/predict",
                serving_container_health_route="/health",
                serving_container_ports=[_PORT],
                labels=labels(promotion.labels),
                version_aliases=[promotion.version],
                version_description=f"run {promotion.run_id}, policy {promotion.policy}",
                is_default_version=parent is None,
            )
        return {"model": found.resource_name, "version_id": found.version_id}

    def _endpoint_step(self, promotion: Promotion, _folder: Path) -> Facts:
        name = model_id(promotion.market, promotion.simulated)
        endpoint = self._found(name) or self._api.Endpoint.create(
            display_name=name, endpoint_id=name, labels=labels({"market": promotion.market})
        )
        return {"endpoint": endpoint.resource_name}

    def _deploy(self, promotion: Promotion, _folder: Path) -> Facts:
        name = model_id(promotion.market, promotion.simulated)
        endpoint, model = self._needed(self._found(name), name), self._version(f"{name}@{promotion.version}")
        deployed = self._deployed(endpoint)
        if promotion.version not in deployed:
            endpoint.deploy(
                self._needed(model, f"{name}@{promotion.version}"),
                deployed_model_display_name=promotion.version,
                machine_type=self._place.machine,
                min_replica_count=1,
                max_replica_count=1,
                traffic_percentage=0 if deployed else 100,
            )
            deployed = self._deployed(endpoint)
        return {"deployed_model": deployed[promotion.version]}

    def _traffic(self, promotion: Promotion, _folder: Path) -> Facts:
        name = model_id(promotion.market, promotion.simulated)
        endpoint = self._needed(self._found(name), name)
        mine = self._deployed(endpoint)[promotion.version]
        others = {key: share for key, share in endpoint.traffic_split.items() if share and key != mine}
        rest = {} if self._share == 100 else shrunk(others, 100 - self._share)
        split = {**rest, mine: 100 - sum(rest.values())}
        if dict(endpoint.traffic_split) != split:
            endpoint.update(traffic_split=split)
        return {"traffic": ", ".join(f"{key} {share} %" for key, share in sorted(split.items()))}

    def _deployed(self, endpoint: aiplatform.Endpoint) -> dict[str, str]:
        """Version to the id of its deployed model."""
        return {str(deployed.display_name): str(deployed.id) for deployed in endpoint.list_models()}

    def _found(self, name: str) -> aiplatform.Endpoint | None:
        from google.api_core.exceptions import NotFound

        try:
            endpoint = self._api.Endpoint(name)
            _ = endpoint.traffic_split  # the first look at it asks the service
        except NotFound:
            return None
        return endpoint

    def _version(self, name: str) -> aiplatform.Model | None:
        from google.api_core.exceptions import NotFound

        try:
            return self._api.Model(name)
        except NotFound:
            return None

    def _needed(self, found: Any, name: str) -> Any:
        if found is None:
            raise InfrastructureError(
                f"{name} is gone", where="target vertex", hint="promote again: --abandon, then --yes"
            )
        return found

    def _prefix(self, promotion: Promotion) -> str:
        return f"cbi/{model_id(promotion.market, promotion.simulated)}/{promotion.package.sha256[:32]}"

    def _uri(self, promotion: Promotion) -> str:
        return f"gs://{self._place.bucket}/{self._prefix(promotion)}"

    @cached_property
    def _api(self) -> Any:
        from google.cloud import aiplatform

        aiplatform.init(
            project=self._place.project,
            location=self._place.location,
            credentials=self._credentials,
            api_endpoint=self._endpoint,
            api_transport="rest",
        )
        return aiplatform

    @cached_property
    def _storage(self) -> storage.Client:
        from google.cloud import storage

        options = None if self._storage_endpoint is None else {"api_endpoint": self._storage_endpoint}
        return storage.Client(project=self._place.project, credentials=self._credentials, client_options=options)


@contextmanager
def _plainly(where: str) -> Iterator[None]:
    """Turn what Google's libraries raise into one line that says what to do."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import ConnectionError as Unreachable
    from requests.exceptions import Timeout

    try:
        yield
    except (api.Forbidden, api.Unauthorized) as error:
        hint = "the account needs roles/aiplatform.user and roles/storage.objectAdmin"
        raise InfrastructureError(f"no permission: {_first(error)}", where=where, hint=hint) from error
    except GoogleAuthError as error:
        hint = "run `gcloud auth application-default login`"
        raise InfrastructureError(f"no credentials: {_first(error)}", where=where, hint=hint) from error
    except (api.TooManyRequests, api.ResourceExhausted) as error:
        hint = "wait or ask for more quota; the same command goes on from here"
        raise TransientError(f"quota: {_first(error)}", where=where, hint=hint) from error
    except (api.ServerError, api.RetryError, Unreachable, Timeout) as error:
        hint = "nothing is lost: the same command goes on from here"
        raise TransientError(f"not reached: {_first(error)}", where=where, hint=hint) from error
    except api.GoogleAPICallError as error:
        hint = "mend what it says; the same command goes on from here"
        raise InfrastructureError(f"refused: {_first(error)}", where=where, hint=hint) from error


def _first(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
