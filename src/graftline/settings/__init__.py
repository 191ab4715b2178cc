"""Choices of the assays, declared once: options of the commands, keys of ``protocol.toml``."""
