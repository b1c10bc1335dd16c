"""The program: the only package that knows every adapter."""
