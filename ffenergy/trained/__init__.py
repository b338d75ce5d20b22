"""What trained layers answer to images, in plain arrays: for pictures, films and tables."""
