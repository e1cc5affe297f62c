"""From raw product text to numbers, inside the TensorFlow graph: word pieces and n-grams."""
