"""Where bytes live: the lake, warehouses, experiment tracking."""
