"""MongoDB's own backend for Django, with one thing mended: what is sorted is sorted by its index."""
