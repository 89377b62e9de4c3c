"""The page of a host and its JSON API, over a store of records and a hub of live ones."""
