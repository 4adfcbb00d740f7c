"""Where tables are kept: the lake of Parquet files, and the DuckDB warehouse."""
