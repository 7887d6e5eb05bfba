import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.registry import dockerfile, recipe, words
from databox.wire.errors import BadRequest
from databox.wire.manifest import Run

HELLO = """FROM node:alpine

COPY . .
RUN npm install

LABEL databox.type="app"

#EXPOSE 8080

CMD ["npm","start"]
#CMD ["sleep","2147483647"]
"""


def files(*, package: Any = None, docker: str = "", **fields: Any) -> dict[str, bytes]:
    """A folder with a manifest of 2017 and what else is given."""
    manifest = {"manifest-version": 1, "name": "hello", "databox-type": "app", **fields}
    found = {"databox-manifest.json": json.dumps(manifest).encode(), "server.js": b""}
    if package is not None:
        found["package.json"] = json.dumps(package).encode()
    if docker:
        found["Dockerfile"] = docker.encode()
    return found


def run_of(given: dict[str, bytes]) -> Run:
    run = recipe.read(given).manifest.run
    assert run is not None
    return run


def test_run_of_the_manifest_wins() -> None:
    given = files(run={"command": ["python3", "main.py"]}, docker=HELLO)
    assert recipe.read(given).install == ()
    assert run_of(given).command == ("python3", "main.py")


def test_npm_start_without_a_script_is_server_js() -> None:
    given = files(docker=HELLO, package={"name": "hello"})
    run = run_of(given)
    assert (run.command, run.runtime) == (("node", "server.js"), "node")
    assert (run.scheme, run.port) == ("https", 8080)
    assert recipe.read(given).install == ("npm", "install")


def test_npm_start_is_looked_up_in_package_json() -> None:
    given = files(docker=HELLO, package={"scripts": {"start": "node main.js --fast"}})
    assert run_of(given).command == ("node", "main.js", "--fast")


def test_package_json_alone_is_enough() -> None:
    given = files(package={"scripts": {"start": "node main.js"}})
    assert run_of(given).command == ("node", "main.js")
    assert recipe.read(given).install == ("npm", "install")


def test_manifest_of_ours_means_plain_http() -> None:
    given = files(package={"scripts": {"start": "node main.js"}}, **{"manifest-version": 2})
    assert run_of(given).scheme == "http"


@pytest.mark.parametrize(
    "start", ["node a.js && rm -rf /", "node $HOME", "node a.js > log", "node 'a", "", "`id`"]
)
def test_start_script_that_needs_a_shell_is_refused(start: str) -> None:
    with pytest.raises(BadRequest, match="needs a shell"):
        recipe.read(files(package={"scripts": {"start": start}}))


@pytest.mark.parametrize("package", [[], {"scripts": []}, {"scripts": {"start": 5}}])
def test_package_json_of_another_shape_is_refused(package: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        recipe.read(files(package=package) | {"server.js": b""})
    assert caught.value.code == "run-missing"


def test_folder_without_a_manifest_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"databox-manifest\.json"):
        recipe.read({"main.py": b""})


def test_folder_that_says_nowhere_how_to_start_is_refused() -> None:
    with pytest.raises(BadRequest, match='"run"'):
        recipe.read(files())


def test_dockerfile_of_the_python_kind() -> None:
    found = dockerfile.parse(
        "from docker.io/library/python:3.11-slim\n"
        "ADD ./ /app\n"
        "RUN pip install --no-cache-dir \\\n    -r requirements.txt\n"
        "ENV MODE=fast LEVEL='very high'\n"
        "ENV GREETING hello you\n"
        "EXPOSE 9000/tcp\n"
        "CMD python3 main.py\n"
    )
    assert found == dockerfile.Dockerfile(
        runtime="python",
        command=("python3", "main.py"),
        install=("pip", "install", "--no-cache-dir", "-r", "requirements.txt"),
        port=9000,
        environment={"MODE": "fast", "LEVEL": "very high", "GREETING": "hello you"},
    )


def test_variables_of_a_dockerfile_reach_the_run() -> None:
    given = files(docker="FROM node\nENV A=1\nCMD node server.js\n")
    assert run_of(given).environment == {"A": "1"}


@pytest.mark.parametrize(
    "line",
    [
        "WORKDIR /app",
        "USER root",
        "ENTRYPOINT sh",
        "ONBUILD RUN id",
        "RUN curl https://a.example | sh",
        "RUN npm install && id",
        "RUN npm install --prefix /",
        "RUN pip install evil",
        "RUN pip install -r ../x.txt",
        "COPY --from=x . .",
        "COPY /etc/passwd .",
        "ADD https://a.example/x .",
        "EXPOSE 22",
        "EXPOSE 8080 9090",
        "EXPOSE 8080\nEXPOSE 9090",
        "FROM node",
        "ENV DATASOURCE_X=1",
        "ENV DATABOX_ARBITER_ENDPOINT=x",
        "ENV A=$PATH",
        'CMD ["node", 5]',
        "CMD [",
        "CMD node a | b",
    ],
)
def test_other_instruction_is_refused_by_name(line: str) -> None:
    with pytest.raises(BadRequest) as caught:
        dockerfile.parse(f"FROM node:20\n{line}\nCMD node a.js\n")
    assert caught.value.field is not None
    assert caught.value.field.startswith("Dockerfile")


@pytest.mark.parametrize(
    "text", ["", "CMD node a.js", "FROM node:20", "FROM alpine\nCMD sh", "FROM node\nCMD node \\"]
)
def test_dockerfile_without_base_or_command_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        dockerfile.parse(text)


@given(st.text(max_size=200))
def test_any_text_is_a_dockerfile_or_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        dockerfile.parse(f"FROM node\n{text}")


@given(st.text(max_size=40))
def test_words_hold_nothing_that_a_shell_would_read(text: str) -> None:
    with contextlib.suppress(BadRequest):
        assert not set("|&;<>$`") & set("".join(words.split(text, field="x")))
