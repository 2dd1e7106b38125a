"""The warehouse's tables, behind the data gate, as datasets that models can train on."""
