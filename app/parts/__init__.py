"""What views are made of: choosing runs, showing text from outside, larger pieces of a page."""
