"""The command line: the only part that writes to the terminal."""
