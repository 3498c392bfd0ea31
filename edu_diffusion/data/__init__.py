"""The world the models live in: emoji scenes made on demand, pictures from outside, and where files are."""
