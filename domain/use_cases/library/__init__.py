"""Reading and editing the images of the library."""
