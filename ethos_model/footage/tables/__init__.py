"""Tables of landmarks: CSV, JSON, JSON Lines, NPZ, Parquet and pandas."""
