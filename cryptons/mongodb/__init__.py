"""MongoDB's own backend for Django, with two things mended: rows are found, and sorted, by their indexes."""
