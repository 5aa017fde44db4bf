"""Where a system is deployed: what is different between the local cloud and Google's."""
