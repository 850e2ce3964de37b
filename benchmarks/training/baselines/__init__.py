"""Training steps as a user would write them from the paper in plain PyTorch: what ours is timed
against. The networks are the same modules, so that both can start from the same weights."""
