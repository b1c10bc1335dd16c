"""The bundled model and the pictures of the demo, and how they come to be."""
