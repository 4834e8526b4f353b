from django.urls import path

from accounts import email_pages, factor_pages, link_pages, pages
from accounts.verification.pages import verification_page

app_name = "accounts"
urlpatterns = [
    path("login/", pages.login_page, name="login"),
    path("login/code/", factor_pages.login_code_page, name="login_code"),
    path("logout/", pages.logout_page, name="logout"),
    path("register/", pages.register_page, name="register"),
    path("forgotten/", link_pages.forgotten_page, name="forgotten"),
    path("forgotten/sent/", link_pages.forgotten_sent_page, name="forgotten_sent"),
    path("link/", link_pages.link_page, name="link"),
    path("link/<str:key>/", link_pages.open_link, name="open_link"),
    path("", pages.profile_page, name="profile"),
    path("address/", pages.address_page, name="address"),
    path("email/", email_pages.email_page, name="email"),
    path("email/verify/", email_pages.send_verification_page, name="send_verification"),
    path("password/", pages.password_page, name="password"),
    path("verification/", verification_page, name="verification"),
    path("second-factor/", factor_pages.second_factor_page, name="second_factor"),
    path("second-factor/set-up/", factor_pages.set_up_page, name="set_up_second_factor"),
    path("second-factor/code/", factor_pages.ask_again_page, name="ask_again"),
]
