"""Where the containers of these tests come from: images that `make images` has made, on a Docker that runs."""

from __future__ import annotations

import os

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # it would be pulled; every test ends what it started
