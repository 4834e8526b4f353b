"""Outputs of the accounts API."""

from rest_framework import serializers

from accounts.api.inputs import AddressField
from accounts.models import User
from cryptons.api.outputs import Output


class UserSerializer(Output):
    id = serializers.UUIDField(source="pk")
    username = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(["user", "admin"])


class PersonalDataSerializer(Output):
    firstName = serializers.CharField(source="first_name")
    lastName = serializers.CharField(source="last_name")
    phone = serializers.CharField()
    address = AddressField(allow_null=True)

    def read_address(self, user: User) -> dict[str, str] | None:
        return user.address or None


class ProfileSerializer(UserSerializer):
    emailVerified = serializers.BooleanField(source="has_verified_email")
    profile = PersonalDataSerializer(source="*")
    createdAt = serializers.DateTimeField(source="date_joined")
    updatedAt = serializers.DateTimeField(source="updated_at", help_text="The last edit; not the last login")


class TokensSerializer(Output):
    token = serializers.CharField(help_text="Access token, sent as `Authorization: Bearer …`")
    refresh = serializers.CharField(help_text="Can be exchanged once for new tokens")


class ApiKeySerializer(Output):
    id = serializers.UUIDField(source="pk")
    userId = serializers.UUIDField(source="user_id")
    name = serializers.CharField()
    start = serializers.CharField(help_text="The key's first characters, to recognise it by")
    scopes = serializers.ListField(child=serializers.CharField())
    allowedIps = serializers.ListField(child=serializers.CharField(), source="allowed_ips")
    createdAt = serializers.DateTimeField(source="created_at")
    expiresAt = serializers.DateTimeField(source="expires_at", allow_null=True)
    lastUsedAt = serializers.DateTimeField(source="last_used_at", allow_null=True)
    lastUsedFrom = serializers.CharField(source="last_used_ip", help_text="An IP address; empty for a key that was never used")


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="Sent as `Authorization: Bearer …`. It is in this answer only.")


class LoginSerializer(TokensSerializer):
    user = UserSerializer()


class LogoutSerializer(Output):
    loggedOut = serializers.BooleanField()


class AcceptedSerializer(Output):
    accepted = serializers.BooleanField()


class PasswordChangedSerializer(Output):
    passwordChanged = serializers.BooleanField()


class EmailConfirmedSerializer(Output):
    email = serializers.CharField()
    emailVerified = serializers.BooleanField()
