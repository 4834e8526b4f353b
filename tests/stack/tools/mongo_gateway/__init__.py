"""MongoDB's wire protocol in front of PostgreSQL's documentdb extension: a stand-in for a replica set's primary, for tests.

Queries, updates, indexes and aggregation are the engine's own (schema documentdb_api). This package translates OP_MSG and OP_QUERY into
calls of its SQL functions, keeps cursors, sessions and transactions, and gives errors MongoDB's numbers and labels.
It listens on 127.0.0.1 only and has no authentication, TLS, change streams or secondaries.
"""
