"""The audit: what a whole table says of itself, and beside the series that the market knows."""
