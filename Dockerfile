# The study in a container, from the lock that `make setup` installs: see docs/reuse.md.
# Not tried: where this was written no image could be built.
FROM python:3.11-slim-bookworm

# The lists of packages stay: a data set may come from one of Debian's.
RUN apt-get update && apt-get install --yes --no-install-recommends git make

WORKDIR /study
COPY envs/requirements.lock envs/
RUN python -m pip install --quiet --no-cache-dir --require-hashes -r envs/requirements.lock
COPY . .
RUN python -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable .

CMD ["snakemake"]
