from django.urls import path

from reviews import pages

app_name = "reviews"
urlpatterns = [
    path("p/<str:slug>/reviews/", pages.reviews, name="list"),
    path("p/<str:slug>/review/", pages.write, name="write"),
    path("p/<str:slug>/review/delete/", pages.delete, name="delete"),
    path("reviews/<uuid:pk>/helpful/", pages.helpful, name="helpful"),
    path("reviews/no-mails/<str:token>/", pages.no_mails, name="no_mails"),
]
