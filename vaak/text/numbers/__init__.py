"""Figures in a text: kept, in native digits, or in words."""
