"""BigQuery: datasets and tables. Rows and queries are not modelled."""
