"""The commands of `pictograph`, by what they are about; `cli.py` joins them."""
