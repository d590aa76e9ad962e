"""The vocabulary: frozen models that are the wire contract and the domain model at once; no I/O."""
