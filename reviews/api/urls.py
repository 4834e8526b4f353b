from django.urls import path

from cryptons.response_cache import ready_bytes
from reviews.api import views

cached_reviews = ready_bytes(versions=views.version_of, parameters=("sort", "page", "limit", "after"), strict=True)

urlpatterns = [
    path("reviews", views.Reviews.as_view()),
    path("reviews/product/<str:product_id>", cached_reviews(views.ProductReviews.as_view())),
    path("reviews/<str:review_id>", views.OneReview.as_view()),
    path("reviews/<str:review_id>/helpful", views.HelpfulVotes.as_view()),
    path("reviews/<str:review_id>/approve", views.ReviewApproval.as_view()),
    path("reviews/<str:review_id>/reject", views.ReviewRejection.as_view()),
]
