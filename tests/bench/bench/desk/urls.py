"""The whole of django-helpdesk, and a page that answers once it serves."""

from django.http import HttpResponse  # type: ignore[import-not-found]
from django.urls import include, path  # type: ignore[import-not-found]

urlpatterns = [
    path("health/ready", lambda _request: HttpResponse()),
    path("", include("helpdesk.urls", namespace="helpdesk")),
]
