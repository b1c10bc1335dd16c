"""Finding duplicates and near-duplicates."""
