from django_mongodb_backend import base
from django_mongodb_backend.operations import DatabaseOperations as BackendOperations

from cryptons.mongodb.schema import DatabaseSchemaEditor


class DatabaseOperations(BackendOperations):  # type: ignore[misc]
    compiler_module = "cryptons.mongodb.compiler"


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    SchemaEditorClass = DatabaseSchemaEditor
    ops_class = DatabaseOperations
