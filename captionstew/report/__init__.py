"""The report of a build: one HTML page to look at and to listen to, with no server behind it."""
