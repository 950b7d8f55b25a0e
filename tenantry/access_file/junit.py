"""What was judged as JUnit's XML, which continuous integration systems show."""

import xml.etree.ElementTree as Tree
from collections.abc import Sequence
from pathlib import Path

from tenantry.access_file.judge import Judged, answer


def write(path: Path, file: Path, judged: Sequence[Judged]) -> None:
    """A test case for each answer, by the place it is about."""
    failures = sum(not each.is_as_expected for each in judged)
    counts = {"tests": str(len(judged)), "failures": str(failures), "errors": "0"}
    suites = Tree.Element("testsuites", counts)
    suite = Tree.SubElement(suites, "testsuite", {"name": str(file), **counts})
    for each in judged:
        expected = each.expectation
        name = f"{expected.who}: {expected.permission} {answer(expected.is_allowed)}"
        place = {"classname": expected.on, "file": str(file), "line": str(expected.line)}
        case = Tree.SubElement(suite, "testcase", {"name": name, **place})
        if not each.is_as_expected:
            found = answer(each.explanation.is_allowed)
            message = f"expected {answer(expected.is_allowed)}, is {found}: {each.explanation.sentence}"
            Tree.SubElement(case, "failure", {"message": message})
    Tree.indent(suites)
    Tree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
