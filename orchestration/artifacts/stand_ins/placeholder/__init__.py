"""A placeholder: the program that stands in for a service whose sources are not there.

Standard library only, and nothing of the product: the folder is copied into a build context as it
is, beside a `links.json` that says what the service is linked to and which grants it has.
"""
