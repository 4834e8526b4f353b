"""MongoDB's own backend for Django (django-mongodb-backend 5.2) with two patches, so that rows are found and sorted by their indexes.

`schema` makes unique indexes that the query planner can use; the backend does so itself from 6.0.4 on (INTPYTHON-855, pull request 543).
`compiler` sorts before it chooses fields; no upstream issue is known. A third patch, of transactions, is in `cryptons.db`.
"""
