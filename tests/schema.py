# SPDX-License-Identifier: ISC
"""Prints, for each task file named, "valid" or "invalid" by the schema.

usage: schema.py SCHEMA FILE...
"""
import json
import sys

import jsonschema


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as file:
            value = json.load(file)
        print("valid" if validator.is_valid(value) else "invalid", name)


main()
