"""What becomes of an exported model: pushed as a version, kept, served. Imports nothing heavy."""
