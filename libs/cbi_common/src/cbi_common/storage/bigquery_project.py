"""A BigQuery project: its clients, how long they wait, and what their errors mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import grpc
from google.api_core import exceptions, retry
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from requests import RequestException

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, TransientError
from cbi_common.storage.bigquery_url import Place

_GOOGLE = "https://bigquery.googleapis.com"
_NO_LIMIT = [("grpc.max_receive_message_length", -1)]
_STATEMENT_S = 600.0
_POLL_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Project:
    """Clients of one project; every call of theirs is given `call`, a retry and a timeout of our own.

    Raises
    ------
    InfrastructureError
        When the standard Google chain finds no credentials.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        with self.translated(place.label):
            # Always named: BIGQUERY_EMULATOR_HOST would send REST elsewhere, and the Storage Read API to Google.
            self.client = bigquery.Client(
                project=place.project,
                location=place.location,
                credentials=AnonymousCredentials() if place.endpoint else None,
                client_options={"api_endpoint": place.endpoint or _GOOGLE},
            )

    @property
    def call(self) -> dict[str, Any]:
        """Retry and timeout of one call: it ends within ``timeout_s``, where the client alone would try for 600 s."""
        half = self.place.timeout_s / 2
        patience = retry.Retry(predicate=retry.if_transient_error, initial=0.5, maximum=8.0, timeout=half)
        return {"retry": patience, "timeout": half}

    @cached_property
    def reader(self) -> BigQueryReadClient:
        """Client of the Storage Read API."""
        if self.place.storage is None:
            return BigQueryReadClient(credentials=self.client._credentials)
        channel = grpc.insecure_channel(self.place.storage, options=_NO_LIMIT)
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))

    def query(self, sql: str, config: bigquery.QueryJobConfig | None = None) -> bigquery.QueryJob:
        """Run a statement and return its job, which is done; an answering server may take ten minutes for it."""
        job = self.client.query(sql, job_config=config, job_retry=None, **self.call)
        self.wait(job)
        self.require_success(job)
        return job

    def wait(self, job: bigquery.QueryJob) -> None:
        """Wait until a job is done, whether or not it succeeded.

        Raises
        ------
        TimeoutError
            After ten minutes.
        """
        for pause_s in self._pauses():
            if job.done(**self.call):
                return
            time.sleep(pause_s)
        raise TimeoutError(f"job {job.job_id} has run for {_STATEMENT_S:g} s")

    def require_success(self, job: bigquery.QueryJob) -> None:
        """Raise the error of a job that is done, if it has one."""
        job.result(job_retry=None, **self.call)

    def dry_run(self, sql: str) -> bigquery.QueryJob:
        """Return the job that a statement would be: its schema, and the bytes that it would process."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        return self.client.query(sql, job_config=config, job_retry=None, **self.call)

    def _pauses(self) -> Iterator[float]:
        give_up = time.monotonic() + _STATEMENT_S
        yield from _POLL_S
        while time.monotonic() < give_up:
            yield _POLL_S[-1]

    @contextmanager
    def translated(self, where: str) -> Iterator[None]:
        """Turn Google's errors into ours, each on one line."""
        try:
            yield
        except (exceptions.GoogleAPIError, auth.GoogleAuthError, RequestException, TimeoutError) as error:
            raise translation(error, where, self.place) from error


def translation(error: Exception, where: str, place: Place) -> CbiError:
    """Return what an error of Google's libraries means to the one who reads it."""
    reason = str(error).split("\n", 1)[0][:160]
    if isinstance(error, auth.DefaultCredentialsError):
        hint = "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
        return InfrastructureError("no Google credentials", where=where, hint=hint)
    if isinstance(error, exceptions.NotFound):
        return DataError("no such table", where=where, hint="check the project and its datasets")
    if isinstance(error, exceptions.Forbidden | exceptions.Unauthorized | auth.GoogleAuthError):
        return InfrastructureError(f"not allowed: {reason}", where=where, hint="see the roles in docs/data.md")
    if isinstance(error, exceptions.BadRequest):
        return DataError(f"BigQuery refuses: {reason}", where=where, hint="look at the table or view in the console")
    return TransientError(
        f"BigQuery does not answer within {place.timeout_s:g} s: {reason}", where=where, hint="try again later"
    )
