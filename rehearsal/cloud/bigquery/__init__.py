"""BigQuery: datasets, tables, their rows, and queries over them."""
