"""Make the Bruno collection gateway/bruno from docs/openapi.json: python -m tenantry.gateway.bruno

Each operation is one request, in an order in which `bru run` goes through them as one person's story: what an answer
hands out (a token, an id) is kept in a variable that later requests use.
"""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

from tenantry.gateway.bruno_story import ORDER, STORY, Step
from tenantry.gateway.openapi import DOCUMENT
from tenantry.project import CODE

FOLDER = CODE / "gateway" / "bruno"
# What `bru run --exclude-tags` leaves out: it takes a mail, another person, or ends the story.
BY_HAND = "by-hand"

Json = dict[str, Any]

FIXED = {
    "bruno.json": json.dumps({"version": "1", "name": "Tenantry", "type": "collection"}, indent=2) + "\n",
    # The header for calls that have the session cookie alone, which Bruno keeps as a browser does.
    "collection.bru": "headers {\n  x-requested-with: bruno\n}\n\n"
    "auth {\n  mode: bearer\n}\n\nauth:bearer {\n  token: {{token}}\n}\n",
    "environments/local.bru": "vars {\n  base_url: http://127.0.0.1:8080\n  email: ada@example.com\n"
    "  password: correct horse battery staple\n}\n",
}


def collection(api: Json) -> dict[str, str]:
    """The files by their path below the collection's folder."""
    found = dict(FIXED)
    operations = {
        operation["operationId"]: (verb, path, operation)
        for path, methods in api["paths"].items()
        for verb, operation in methods.items()
    }
    for number, (folder, names) in enumerate(ORDER.items(), start=1):
        found[f"{folder}/folder.bru"] = block("meta", [f"name: {folder}", f"seq: {number}"])
        for sequence, name in enumerate(names, start=1):
            verb, path, operation = operations.pop(name)
            found[f"{folder}/{name}.bru"] = request(verb, path, operation, sequence)
    if operations:
        raise LookupError(f"no place in ORDER for: {', '.join(operations)}")
    return found


def request(verb: str, path: str, operation: Json, sequence: int) -> str:
    name = operation["operationId"]
    step = STORY.get(name)
    has_body = "requestBody" in operation
    url = "{{base_url}}" + re.sub(r"{(\w+)}", r"{{\1}}", path)
    meta = [f"name: {name}", "type: http", f"seq: {sequence}"]
    blocks = [
        block("meta", meta if step else [*meta, "tags: [", f"  {BY_HAND}", "]"]),
        block(verb, [f"url: {url}", f"body: {'json' if has_body else 'none'}", auth(operation)]),
        *query(operation),
    ]
    if has_body:
        blocks.append(block("body:json", json.dumps(body(operation, step), indent=2).splitlines()))
    if step and step.keeps:
        blocks.append(block("vars:post-response", [f"{key}: res.body.{place}" for key, place in step.keeps.items()]))
    if step:
        expected = [f"res.status: eq {step.status}", *(f"res.body.{each}" for each in step.expects)]
        blocks.append(block("assert", expected))
    blocks.append(block("docs", operation["description"].splitlines()))
    return "\n".join(blocks)


def block(name: str, lines: list[str]) -> str:
    return "\n".join([f"{name} {{", *(f"  {line}".rstrip() for line in lines), "}", ""])


def auth(operation: Json) -> str:
    return "auth: none" if operation.get("security") == [] else "auth: inherit"


def query(operation: Json) -> Iterator[str]:
    """All of them switched off, to be filled in."""
    names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
    if names:
        yield block("params:query", [f"~{name}:" for name in names])


def body(operation: Json, step: Step | None) -> Json:
    """The story's, or the example."""
    example: Json = operation["requestBody"]["content"]["application/json"]["example"]
    return step.body if step else example


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, text in collection(json.loads(DOCUMENT.read_text())).items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
