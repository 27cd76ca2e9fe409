"""A study's settings: a frozen pydantic class a block of the config, and all that refuses a wrong one in one line."""
