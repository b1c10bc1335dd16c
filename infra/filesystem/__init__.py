"""Storage, staging and external files in folders of this machine."""
