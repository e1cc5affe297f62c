"""Training: batches, optimizer, the stages of the recipe, and what watches them."""
