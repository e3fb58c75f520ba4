"""From indicators to a word, a sentence, its limits, and ways out."""
