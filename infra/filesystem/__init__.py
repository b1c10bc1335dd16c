"""Storage, staging, external files and manifests in the local file system."""
