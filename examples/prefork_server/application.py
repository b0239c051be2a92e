"""A WSGI application with a heap worth sharing: an atlas of countries and languages.

Django without a database: the records are the JSON files of the distribution's iso-codes, in memory as
most applications have their reference data, and the pages are rendered by Django's templates. Everything
is loaded when the module is imported, so that a server that preloads it has it once.

Settings in the environment: ISO_CODES names the folder of the JSON files.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils import translation

FOLDER = Path(os.environ.get("ISO_CODES", "/usr/share/iso-codes/json"))
LANGUAGES = ("en", "de", "fr", "es", "ja", "ru", "uk", "pl", "pt", "zh-hans")

TEMPLATES = {
    "base.html": """{% load i18n %}<!DOCTYPE html>
<html lang="{{ request.LANGUAGE_CODE }}">
<head><title>{% block title %}{% trans "Home" %}{% endblock %}</title></head>
<body>
<nav>{% for name, url in sections %}<a href="{{ url }}">{{ name|capfirst }}</a> {% endfor %}</nav>
{% block content %}{% endblock %}
<footer>{% blocktrans count counter=total %}{{ counter }} result{% plural %}{{ counter }} results{% endblocktrans %}</footer>
</body>
</html>""",
    "country.html": """{% extends "base.html" %}{% load i18n %}
{% block title %}{{ country.name }} {{ country.flag }}{% endblock %}
{% block content %}
<h1>{{ country.flag }} {{ country.name }}</h1>
<dl><dt>{% trans "Name" %}<dd>{{ country.official_name|default:country.name }}
<dt>alpha-2<dd>{{ country.alpha_2 }}<dt>alpha-3<dd>{{ country.alpha_3 }}<dt>{% trans "Number" %}<dd>{{ country.numeric }}</dl>
<table>{% for part in country.parts %}
<tr class="{% cycle 'odd' 'even' %}"><td>{{ part.code }}<td>{{ part.name }}<td>{{ part.type|lower }}{% if part.parent %} ({{ part.parent }}){% endif %}
{% empty %}<tr><td>{% trans "None" %}{% endfor %}</table>
{% endblock %}""",
    "languages.html": """{% extends "base.html" %}{% load i18n %}
{% block title %}{{ letter|upper }}{% endblock %}
{% block content %}
<ul>{% for language in languages %}
<li id="{{ language.alpha_3 }}">{{ language.name }}{% if language.inverted_name %} ({{ language.inverted_name }}){% endif %}, {{ language.scope }}/{{ language.type }}
{% endfor %}</ul>
{% endblock %}""",
}

SECTIONS = (("country", "/country/DE"), ("language", "/languages/a"), ("search", "/search?q=land"))


@dataclass
class Part:
    """A subdivision of a country."""

    code: str
    name: str
    type: str
    parent: str = ""


@dataclass
class Country:
    alpha_2: str
    alpha_3: str
    numeric: str
    name: str
    flag: str = ""
    common_name: str = ""
    official_name: str = ""
    parts: list[Part] = field(default_factory=list)


@dataclass
class Language:
    alpha_3: str
    name: str
    scope: str
    type: str
    alpha_2: str = ""
    bibliographic: str = ""
    common_name: str = ""
    inverted_name: str = ""


def read(standard: str) -> list[dict[str, str]]:
    text = (FOLDER / f"iso_{standard}.json").read_text(encoding="utf-8")
    return json.loads(text)[standard]


class Atlas:
    """All records, with the indexes that the views use."""

    def __init__(self) -> None:
        self.countries = {entry["alpha_2"]: Country(**entry) for entry in read("3166-1")}
        for entry in read("3166-2"):
            self.countries[entry["code"][:2]].parts.append(Part(**entry))
        self.languages = {entry["alpha_3"]: Language(**entry) for entry in read("639-3")}
        self.by_letter: dict[str, list[Language]] = defaultdict(list)
        for language in self.languages.values():
            self.by_letter[language.name[0].lower()].append(language)
        self.by_word: dict[str, set[str]] = defaultdict(set)
        for language in self.languages.values():
            for word in language.name.lower().split():
                self.by_word[word].add(language.alpha_3)
        self.currencies = {entry["alpha_3"]: entry for entry in read("4217")}


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of an example",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    LANGUAGES=[(code, code) for code in LANGUAGES],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request"],
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [("django.template.loaders.locmem.Loader", TEMPLATES)],
                    )
                ],
            },
        }
    ],
    USE_I18N=True,
)
django.setup()
atlas = Atlas()


def page(request: HttpRequest, template: str, total: int, **context: object) -> HttpResponse:
    return render(request, template, {"sections": SECTIONS, "total": total, **context})


def show_country(request: HttpRequest, code: str) -> HttpResponse:
    country = atlas.countries.get(code)
    if country is None:
        raise Http404(code)
    return page(request, "country.html", len(country.parts), country=country)


def show_languages(request: HttpRequest, letter: str) -> HttpResponse:
    start = int(request.GET.get("from", 0))
    found = atlas.by_letter.get(letter, [])
    shown = found[start : start + 50]
    return page(request, "languages.html", len(found), letter=letter, languages=shown)


def search(request: HttpRequest) -> HttpResponse:
    word = request.GET.get("q", "").lower()
    names = {code: atlas.languages[code].name for code in atlas.by_word.get(word, ())}
    countries = [c.name for c in atlas.countries.values() if word in c.name.lower()]
    return JsonResponse({"languages": dict(sorted(names.items())), "countries": countries})


def currency(request: HttpRequest, code: str) -> HttpResponse:
    if code not in atlas.currencies:
        raise Http404(code)
    return JsonResponse(atlas.currencies[code])


urlpatterns = [
    path("country/<str:code>", show_country),
    path("languages/<str:letter>", show_languages),
    path("search", search),
    path("currency/<str:code>", currency),
]

django_application = WSGIHandler()


def application(environ, start_response):
    """Says in each answer which process gave it, so that a load can count."""

    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], exc_info)

    return django_application(environ, start)


def load_catalogs() -> None:
    """Translations are read when a language is first asked for; workers should find them there."""
    for language in LANGUAGES:
        with translation.override(language):
            translation.gettext("Home")


load_catalogs()


def warm_up(rounds: int = 20) -> None:
    """Answers each kind of request a few times, so that what happens once has happened: imports, compiled
    templates and patterns, and the interpreter's own, since it rewrites the code that it runs.
    """
    for number in range(rounds):
        for target in (
            "/country/DE",
            f"/languages/{chr(ord('a') + number)}",
            "/search?q=land",
            "/currency/EUR",
            "/none",
        ):
            for language in LANGUAGES:
                answer(target, language)


def answer(target: str, language: str) -> bytes:
    """What a server would send, as far as the application has a say in it."""
    path, _, query = target.partition("?")
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_ACCEPT_LANGUAGE": language}
    setup_testing_defaults(environ)
    return b"".join(django_application(environ, lambda status, headers: None))
