"""How a postcard is painted."""
