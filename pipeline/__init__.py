"""The TFX pipeline: from product files to an evaluated, pushed model. Thin: the library works."""
