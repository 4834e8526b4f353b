from django.urls import path

from accounts.api import key_views, link_views, views

urlpatterns = [
    path("auth/register", views.Register.as_view()),
    path("auth/login", views.Login.as_view()),
    path("auth/refresh", views.Refresh.as_view()),
    path("auth/logout", views.Logout.as_view()),
    path("auth/profile", views.Profile.as_view()),
    path("auth/password-reset", link_views.PasswordReset.as_view()),
    path("auth/password-reset/confirm", link_views.PasswordResetConfirm.as_view()),
    path("auth/verify-email", link_views.VerifyEmail.as_view()),
    path("auth/verify-email/confirm", link_views.VerifyEmailConfirm.as_view()),
    path("auth/email", link_views.Email.as_view()),
    path("auth/email/confirm", link_views.EmailConfirm.as_view()),
    path("auth/email/undo", link_views.EmailUndo.as_view()),
    path("auth/password", views.Password.as_view()),
    path("api-keys", key_views.ApiKeys.as_view()),
    path("api-keys/<str:key_id>", key_views.OneApiKey.as_view()),
]
