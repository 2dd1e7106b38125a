"""Where a fit was at the end of an epoch, as bytes that tell whether they are whole."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import DataError

_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Checkpoint:
    """All that the epochs to come depend on, besides the rows, the settings and the seed.

    Attributes
    ----------
    epochs : epochs that are done, >= 1
    arrays : variables of the net and of its optimizer, in the order in which Keras lists them
    """

    epochs: int
    arrays: tuple[NDArray[Any], ...]

    def to_bytes(self) -> bytes:
        """Serialise as a SHA-256 and a NumPy archive without pickled objects."""
        buffer = io.BytesIO()
        stored = {f"array_{i}": array for i, array in enumerate(self.arrays)}
        np.savez(buffer, epochs=np.array(self.epochs), **stored)
        archive = buffer.getvalue()
        return hashlib.sha256(archive).digest() + archive

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Return the checkpoint that `to_bytes` serialised.

        Raises
        ------
        DataError
            When a byte is missing or another.
        """
        digest, archive = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(archive).digest() != digest:
            raise DataError("its checksum is wrong", where="checkpoint", hint="the fit begins anew")
        try:
            with np.load(io.BytesIO(archive), allow_pickle=False) as stored:
                arrays = tuple(stored[f"array_{i}"] for i in range(len(stored.files) - 1))
                return cls(int(stored["epochs"]), arrays)
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"it is no archive: {error}", where="checkpoint", hint="the fit begins anew") from None
