"""The one door to runs, files and studies: reads, caches, and writes nothing but decisions."""
