"""What is made from sources before any cloud is touched: resources files, contexts, pre-flight."""
