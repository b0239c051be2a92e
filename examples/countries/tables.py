"""Lays out the tables of iso-codes by what they are asked by.

Usage: tables.py ISO_3166-1 ISO_639-3 BY_ALPHA2 BY_ALPHA3 LANGUAGES
"""

import json
import sys
from pathlib import Path

countries_file, languages_file, *outputs = map(Path, sys.argv[1:])
countries = json.loads(countries_file.read_text(encoding="utf-8"))["3166-1"]
languages = json.loads(languages_file.read_text(encoding="utf-8"))["639-3"]

tables = [
    # Equal dicts become one object when they are frozen.
    {country["alpha_2"]: country for country in countries},
    {country["alpha_3"]: country for country in countries},
    {
        code: language
        for language in languages
        for code in (language["alpha_3"], language.get("alpha_2"))
        if code is not None
    },
]
for output, table in zip(outputs, tables, strict=True):
    output.write_text(json.dumps(table), encoding="utf-8")
