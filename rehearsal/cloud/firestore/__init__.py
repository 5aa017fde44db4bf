"""Firestore: the administration of databases. Documents are not modelled."""
