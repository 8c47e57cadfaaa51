# The lab in a container: the environment with CPU torch, run as an ordinary user.
# compose.yaml starts it and serves its reports.
FROM python:3.11-slim

# make runs the same targets inside as outside.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

# The user's number decides who owns the mounted reports; LAB_UID in compose.yaml sets it.
ARG LAB_UID=1000
RUN useradd --create-home --uid "$LAB_UID" learner \
    && mkdir -p /lab/reports /lab/.pytest_cache /hub \
    && chown -R learner:learner /lab /hub
USER learner
WORKDIR /lab

# Dependencies first: they change less often than the code, and their layer is the large one.
COPY --chown=learner:learner Makefile constraints.txt pyproject.toml setup.py README.md LICENSE ./
COPY --chown=learner:learner labkit/__init__.py labkit/
COPY --chown=learner:learner tests/exercises/__init__.py tests/exercises/
RUN make .venv/.lab

COPY --chown=learner:learner . .
RUN touch .venv/.lab

ENV HF_HOME=/hub
VOLUME ["/hub", "/lab/.pytest_cache", "/lab/reports"]
CMD ["make", "lab"]
