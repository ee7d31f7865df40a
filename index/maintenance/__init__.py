"""What an index needs between builds: it is verified, healed, exported, watched over and cleared of what is old."""
