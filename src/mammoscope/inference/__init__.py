"""What a registered model is made of: one code file, weights, facts. It runs where this project is not installed."""
