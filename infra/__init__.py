"""The outgoing adapters: a folder for each technology, named by it."""
