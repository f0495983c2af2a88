"""A site of Django with one page that takes work; for gunicorn, as site_django:application."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from work import crunch

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of a test")


def page(_request):
    return JsonResponse({"total": crunch(), "pid": os.getpid()})


urlpatterns = [path("", page)]
application = get_wsgi_application()
