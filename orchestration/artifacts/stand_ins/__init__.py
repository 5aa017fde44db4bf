"""Programs that stand in for services whose sources are not there (`--placeholders`).

They are copied into build contexts and run on their own: standard library only, but for the
director's, which is the product's own.
"""
