"""Arrow tables in the lake, as Parquet with identical bytes for identical content."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.events.base import LakeRef
from cbi_common.storage.lake import Lake


def put_table(lake: Lake, key: str, table: pa.Table) -> LakeRef:
    """Store a table."""
    return lake.put(key, table_bytes(table))


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet; schema metadata (pandas' above all) is left out, so bytes follow from the content."""
    buffer = io.BytesIO()
    # A dictionary of measurements holds nearly every value: it costs time and space.
    repeating = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(
        table.replace_schema_metadata(None),
        buffer,
        compression="zstd",
        use_dictionary=repeating,  # type: ignore[arg-type]  # the stubs do not know of the list
        write_statistics=False,
        store_schema=False,
    )
    return buffer.getvalue()


def get_table(lake: Lake, ref: LakeRef) -> pa.Table:
    """Return a table."""
    return pq.read_table(io.BytesIO(lake.get(ref)))
