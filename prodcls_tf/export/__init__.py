"""From a trained classifier to a SavedModel that takes raw text."""
