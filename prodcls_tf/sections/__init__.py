"""The sections of the settings, each a file beside what it is about. Imports nothing heavy."""
