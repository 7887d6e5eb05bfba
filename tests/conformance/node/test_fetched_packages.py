"""What a package depends on is fetched by the box, from one registry, and nothing of it is run."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.node.node_box import NodeBox

from databox.wire.errors import BadRequest

SERVER = """
const http = require('http'), fs = require('fs');
http.createServer((request, response) => {
	response.writeHead(200, { 'Content-Type': 'application/json' });
	response.end(JSON.stringify(fs.readdirSync('/app').sort()));
}).listen(8080, '127.0.0.1');
"""
PYTHON_SERVER = """
import http.server, json, six
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps([six.__version__, six.__file__]).encode())
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""
DOCKERFILE = """FROM python:3.11-slim
COPY . .
RUN pip install --no-cache-dir -r requirements.txt
EXPOSE 8080
CMD ["python3", "main.py"]
"""


def write(folder: Path, name: str, **files: Any) -> Path:
    """A folder with a manifest; a value that is no text is written as JSON."""
    contents = {"databox-manifest.json": {"name": name}, **files}
    for path, content in contents.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / path).write_text(text)
    return folder


def node_package(folder: Path, name: str, **fields: Any) -> Path:
    return write(folder, name, **{"package.json": {"name": name, **fields}, "server.js": SERVER})


def test_no_script_of_a_package_runs(box: NodeBox, tmp_path: Path) -> None:
    scripts = {name: f"echo x > {name}" for name in ("preinstall", "install", "postinstall")}
    box.install(box.upload(node_package(tmp_path, "scripted", scripts=scripts)))
    there = json.loads(box.page("scripted").body)
    assert set(there) & {*scripts, ".room"} == set()
    assert {"databox-manifest.json", "package.json", "server.js"} <= set(there)


def test_a_host_beside_the_registry_is_out_of_reach(box: NodeBox, tmp_path: Path) -> None:
    elsewhere = {"x": "https://elsewhere.invalid/x.tgz"}
    with pytest.raises(BadRequest) as caught:
        box.upload(node_package(tmp_path, "wandering", dependencies=elsewhere))
    assert "elsewhere.invalid" in str(caught.value.found)
    assert list((box.home / "packages").glob(".*")) == []
    assert list((box.home / "instances").glob(".*")) == []


@pytest.mark.slow
def test_packages_of_python_are_fetched_too(box: NodeBox, tmp_path: Path) -> None:
    files = {"Dockerfile": DOCKERFILE, "main.py": PYTHON_SERVER, "requirements.txt": "six==1.17.0"}
    box.install(box.upload(write(tmp_path, "snakes", **files)))
    assert json.loads(box.page("snakes").body) == ["1.17.0", "/app/site-packages/six.py"]
