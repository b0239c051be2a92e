"""What the demo runs with and without an image: a Django program that always prints the same.

Its imports stand at the top and are timed apart; main() sets Django up, makes a table in an
in-memory SQLite, saves and queries rows, resolves URLs and renders templates with loops, filters
and inheritance. Nothing in it knows of Tenure.
"""

import django
from django.conf import settings
from django.contrib.auth import hashers
from django.db import connection, models
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template import loader
from django.urls import path, resolve, reverse

TEMPLATES = {
    "base.html": (
        "<title>{% block title %}{% endblock %}</title>\n"
        "{% block body %}{% endblock %}\n"
        "<p>{{ total }} book{{ total|pluralize }}</p>"
    ),
    "row.html": "{{ book.title|truncatechars:24|escape }} ({{ book.year|default:'no year' }})",
    "shelf.html": (
        "{% extends 'base.html' %}"
        "{% block title %}{{ name|title }}{% endblock %}"
        "{% block body %}<ul>\n"
        "{% for book in books %}"
        "<li class='{% cycle 'odd' 'even' %}'>{{ forloop.counter }}. {% include 'row.html' %}"
        "{% if book.pages > 300 %} <b>{{ book.pages|stringformat:'05d' }}</b>{% endif %}</li>\n"
        "{% empty %}<li>none</li>{% endfor %}"
        "</ul>{% endblock %}"
    ),
}

BOOKS = (
    ("The Periodic Table", 1975, 233),
    ("Invisible Cities", 1972, 165),
    ("Gödel, Escher, Bach", 1979, 777),
    ("If on a winter's night a traveler", 1979, 260),
    ("The Art of Computer Programming", 1968, 650),
    ("<Markup> & Meaning", None, 12),
)


def shelf(request, year):
    """The view: the books of a year, as HTML."""
    books = book_model().objects.filter(year=year).order_by("title")
    page = loader.render_to_string(
        "shelf.html", {"name": f"shelf {year}", "books": books, "total": len(books)}
    )
    return HttpResponse(page)


urlpatterns = [path("shelf/<int:year>/", shelf, name="shelf")]


def set_up():
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only a demo",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", TEMPLATES)]},
            }
        ],
        USE_TZ=True,
    )
    django.setup()


def book_model():
    """The model; its class can be made only once Django is set up."""
    if "book" in django.apps.apps.all_models["library"]:
        return django.apps.apps.all_models["library"]["book"]

    class Book(models.Model):
        title = models.CharField(max_length=100)
        year = models.IntegerField(null=True)
        pages = models.PositiveIntegerField()

        class Meta:
            app_label = "library"
            ordering = ["title"]

    return Book


def main():
    set_up()
    book = book_model()
    with connection.schema_editor() as editor:
        editor.create_model(book)
    for title, year, pages in BOOKS:
        book(title=title, year=year, pages=pages).save()
    book.objects.filter(title__startswith="Invisible").update(pages=models.F("pages") + 1)

    lines = [f"rows: {book.objects.count()}"]
    sums = book.objects.aggregate(total=models.Sum("pages"), longest=models.Max("pages"))
    lines.append(f"pages: {sums['total']}, longest: {sums['longest']}")
    chosen = book.objects.filter(models.Q(pages__gt=200) & ~models.Q(year=1979)).values_list(
        "title", "year"
    )
    lines += [f"found: {title}, {year}" for title, year in chosen.order_by("year")]
    by_year = book.objects.exclude(year=None).values("year").annotate(n=models.Count("id"))
    lines += [f"{entry['year']}: {entry['n']}" for entry in by_year.order_by("year")]
    lines.append(str(book.objects.filter(title__contains="Art").only("title").query))

    url = reverse("shelf", kwargs={"year": 1979})
    match = resolve(url)
    request = HttpRequest()
    request.method, request.path, request.GET = "GET", url, QueryDict("q=a&q=b")
    response = match.func(request, **match.kwargs)
    lines += [
        f"{url} -> {match.url_name} {match.kwargs} {response.status_code}",
        response.content.decode(),
    ]
    lines.append(f"query: {request.GET.getlist('q')}")

    # As many iterations as a password deserves would take longer than all the rest.
    encoded = hashers.PBKDF2PasswordHasher().encode("correct horse", "battery", iterations=1000)
    lines.append(f"password: {encoded}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
