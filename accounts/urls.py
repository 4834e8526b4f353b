from django.urls import path

from accounts import pages

app_name = "accounts"
urlpatterns = [
    path("login/", pages.login_page, name="login"),
    path("logout/", pages.logout_page, name="logout"),
    path("register/", pages.register_page, name="register"),
    path("", pages.profile_page, name="profile"),
    path("address/", pages.address_page, name="address"),
    path("password/", pages.password_page, name="password"),
]
