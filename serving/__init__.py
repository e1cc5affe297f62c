"""Serving of pushed models. Meets the pipeline on disk alone, in the SavedModel's folder.

Needs TensorFlow and tensorflow-text, no transformers and no TFX.
"""
