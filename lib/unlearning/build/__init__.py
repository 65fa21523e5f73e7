"""Chapters into notebooks, notebooks into the book."""
