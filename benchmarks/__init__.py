"""Speed of the parts of fastpose next to what a user would use instead. Not part of the package."""
