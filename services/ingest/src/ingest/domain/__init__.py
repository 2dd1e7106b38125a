"""Pure: tables in, series, features and plans out."""
