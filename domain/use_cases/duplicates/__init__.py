"""Finds duplicates and near duplicates."""
