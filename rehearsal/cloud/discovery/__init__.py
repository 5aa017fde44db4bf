"""Google's discovery documents, stripped to what routing and request checks need."""
