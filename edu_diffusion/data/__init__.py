"""The data: emoji scenes generated on demand, the user's own pictures, and the locations of files."""
