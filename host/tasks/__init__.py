"""Tasks of general bundles: classes that a host is taught from examples, by a linear head on the embeddings."""
