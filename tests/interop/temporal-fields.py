# SPDX-License-Identifier: ISC
"""Compares temporal.proto, field by field, with the official descriptors.

usage: temporal-fields.py temporal.proto     (needs PyPI temporalio and protoc)

Each message is held against the official ones of that name: number, type and
whether it is repeated. A name that is official in several packages counts when
one of them fits. Prints what differs; the exit status says whether any does.
"""
import importlib
import pkgutil
import subprocess
import sys
import tempfile

import temporalio.api
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, timestamp_pb2

FIELD = descriptor_pb2.FieldDescriptorProto


def official():
    """The official messages by name, nested ones too."""
    found = {}

    def add(message):
        found.setdefault(message.name, []).append(message)
        for nested in message.nested_types:
            add(nested)

    modules = [any_pb2, duration_pb2, timestamp_pb2]
    for entry in pkgutil.walk_packages(temporalio.api.__path__, "temporalio.api."):
        if entry.name.endswith("_pb2") and ".cloud." not in entry.name:
            try:
                modules.append(importlib.import_module(entry.name))
            except ImportError:
                pass
    for module in modules:
        for message in module.DESCRIPTOR.message_types_by_name.values():
            add(message)
    return found


def kind(field_type):
    """The type as the wire knows it: an enumeration is an int32."""
    return FIELD.TYPE_INT32 if field_type == FIELD.TYPE_ENUM else field_type


def faults(message, wanted):
    for field in message.field:
        theirs = wanted.fields_by_name.get(field.name)
        name = f"{message.name}.{field.name}"
        if theirs is None:
            yield f"{name}: not in the original"
        elif theirs.number != field.number:
            yield f"{name}: number {field.number}, originally {theirs.number}"
        elif kind(theirs.type) != kind(field.type):
            yield f"{name}: type {field.type}, originally {theirs.type}"
        elif theirs.is_repeated != (field.label == FIELD.LABEL_REPEATED):
            yield f"{name}: repeated here or there only"
        elif (
            field.type == FIELD.TYPE_MESSAGE
            and not field.type_name.endswith("Entry")
            and field.type_name.rpartition(".")[2] != theirs.message_type.name
        ):
            yield f"{name}: is a {theirs.message_type.name} originally"


def ours(path):
    with tempfile.NamedTemporaryFile() as out:
        folder, _, name = path.rpartition("/")
        subprocess.run(
            ["protoc", f"--proto_path={folder or '.'}", "-o", out.name, name],
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    for message in files.file[0].message_type:
        yield message
        yield from message.nested_type


def main():
    known = official()
    # not part of the package, but fixed by the gRPC health protocol
    health = {"HealthCheckRequest": {"service": 1}, "HealthCheckResponse": {"status": 1}}
    # google.rpc.Status comes as MultiOperation... and grpc's own in other
    # wheels; its numbers are fixed by the protocol too
    fixed = {**health, "Status": {"code": 1, "message": 2, "details": 3}}
    bad = count = 0
    for message in ours(sys.argv[1]):
        count += len(message.field)
        if message.name in fixed:
            wrong = [
                f"{message.name}.{field.name}: number {field.number}"
                for field in message.field
                if fixed[message.name].get(field.name) != field.number
            ]
        elif message.name not in known:
            wrong = [f"{message.name}: there is no such message"]
        else:
            wrong = min(
                (list(faults(message, wanted)) for wanted in known[message.name]),
                key=len,
            )
        bad += len(wrong)
        for line in wrong:
            print(line)
    print(f"{count} fields, {bad} faults")
    return bad > 0 or count == 0


sys.exit(main())
