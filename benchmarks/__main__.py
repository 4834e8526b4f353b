"""`make bench`: all measurements, one after the other."""

from benchmarks import catalogue

catalogue.main()
