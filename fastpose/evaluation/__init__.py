"""How far predicted joints are from labels, always next to the pose prior's own guesses."""
