from django.urls import path

from accounts import factor_pages, pages

app_name = "accounts"
urlpatterns = [
    path("login/", pages.login_page, name="login"),
    path("login/code/", factor_pages.login_code_page, name="login_code"),
    path("logout/", pages.logout_page, name="logout"),
    path("register/", pages.register_page, name="register"),
    path("", pages.profile_page, name="profile"),
    path("address/", pages.address_page, name="address"),
    path("password/", pages.password_page, name="password"),
    path("second-factor/", factor_pages.second_factor_page, name="second_factor"),
    path("second-factor/set-up/", factor_pages.set_up_page, name="set_up_second_factor"),
    path("second-factor/code/", factor_pages.ask_again_page, name="ask_again"),
]
