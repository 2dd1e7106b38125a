"""BigQuery's emulator as a child process in an environment of its own: REST and Storage Read over the wire."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from cbi_common.runtime import tether

PROJECT = "some-project"

_START_S = 60.0
_PREPARE = "import duckdb_extensions; duckdb_extensions.import_extension('spatial')"
_TYPES = (
    (pa.types.is_boolean, "BOOL"),
    (pa.types.is_integer, "INT64"),
    (pa.types.is_floating, "FLOAT64"),
    (pa.types.is_date, "DATE"),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, "TIMESTAMP"),
    (pa.types.is_timestamp, "DATETIME"),
)


def environment(folder: Path, requirements: Path) -> Path:
    """Return the Python of an environment with these requirements, made when it is missing or another's.

    It is apart from the project's own, whose DuckDB is newer than the emulator can use.
    """
    stamp, wanted = folder / ".ready", hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    with FileLock(folder.with_suffix(".lock")):  # test processes run side by side
        if not stamp.is_file() or stamp.read_text() != wanted:
            venv.create(folder, clear=True, symlinks=True)
            uv = Path(sys.executable).parent / "uv"
            install = [str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)]
            subprocess.run(install, check=True)
            subprocess.run([str(python), "-c", _PREPARE], check=True)
            stamp.write_text(wanted)
    return python


@dataclass
class Emulator:
    """A running emulator; ``with`` ends it."""

    python: Path
    log: Path
    rest_port: int = 0
    grpc_port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Emulator:
        """Start it and wait until it answers."""
        self.rest_port, self.grpc_port = _free_port(), _free_port()
        command = [str(self.python.parent / "bqemulator"), "start", "--log-level", "error"]
        ports = ["--rest-port", str(self.rest_port), "--grpc-port", str(self.grpc_port)]
        settings = {"BQEMU_ENABLE_FORMAT_EXTENSIONS": "false", "BQEMU_WRITE_API_MAX_REQUEST_BYTES": str(2**28)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                tether.command([*command, *ports]), env={**os.environ, **settings}, stdout=log, stderr=log
            )
        give_up = time.monotonic() + _START_S
        while not all(_answers(port) for port in (self.rest_port, self.grpc_port)):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the emulator does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        assert self.process is not None
        self.process.kill()  # it holds nothing, and asked politely it waits for streams that nobody reads any more
        self.process.wait()

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that make `cbi` use it."""
        return {
            "CBI_BIGQUERY_ENDPOINT": f"http://127.0.0.1:{self.rest_port}",
            "CBI_BIGQUERY_STORAGE_ENDPOINT": f"127.0.0.1:{self.grpc_port}",
        }

    def url(self, project: str = PROJECT, **parameters: object) -> str:
        """Return a project of it as `open_warehouse` takes it; every project is empty at first."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        rest, storage = self.settings.values()
        return f"bigquery://{project}?endpoint={rest}&storage={storage}{more}"

    def client(self, project: str = PROJECT) -> bigquery.Client:
        """Return Google's own client of it."""
        where = {"api_endpoint": f"http://127.0.0.1:{self.rest_port}"}
        return bigquery.Client(project=project, credentials=AnonymousCredentials(), client_options=where)

    def load(self, name: str, table: pa.Table, *, project: str = PROJECT, append: bool = False) -> None:
        """Store a table as ``DATASET.TABLE``, over one of that name unless ``append``."""
        client, target = self.client(project), f"{project}.{name}"
        stored = _storable(table)
        client.create_dataset(name.partition(".")[0], exists_ok=True)
        if not append:
            client.delete_table(target, not_found_ok=True)
        schema = [bigquery.SchemaField(field.name, _type(field.type)) for field in stored.schema]
        client.create_table(bigquery.Table(target, schema), exists_ok=True)
        buffer = io.BytesIO()
        pq.write_table(stored, buffer)
        buffer.seek(0)
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        if stored.num_rows:
            client.load_table_from_file(buffer, target, job_config=config).result(timeout=60)

    def load_folder(self, folder: Path, *, project: str = PROJECT) -> None:
        """Store every table of a folder warehouse."""
        for path in sorted(folder.glob("*.parquet")):
            self.load(path.stem, pq.ParquetFile(path).read().replace_schema_metadata(None), project=project)


def _storable(table: pa.Table) -> pa.Table:
    # BigQuery keeps microseconds.
    def kind(of: pa.DataType) -> pa.DataType:
        return pa.timestamp("us", of.tz) if pa.types.is_timestamp(of) else of

    return table.cast(pa.schema([(field.name, kind(field.type)) for field in table.schema]))


def _type(kind: pa.DataType) -> str:
    return next((name for fits, name in _TYPES if fits(kind)), "STRING")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(0.2)
        return attempt.connect_ex(("127.0.0.1", port)) == 0
