"""Arrow tables in the lake, as Parquet with identical bytes for identical content."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.events.base import LakeRef
from cbi_common.storage.lake import Lake


def put_table(lake: Lake, key: str, table: pa.Table) -> LakeRef:
    """Store a table; schema metadata (pandas' in particular) is left out, so bytes depend on the content only."""
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(None), buffer, compression="zstd", write_statistics=False, store_schema=False
    )
    return lake.put(key, buffer.getvalue())


def get_table(lake: Lake, ref: LakeRef) -> pa.Table:
    """Return a table."""
    return pq.read_table(io.BytesIO(lake.get(ref)))
