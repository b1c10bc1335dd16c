"""Pictures as files, by Pillow and libheif, in processes of their own."""
