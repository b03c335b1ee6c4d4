# SPDX-License-Identifier: ISC
"""Compares temporal.proto, field by field and value by value, with the official
descriptors.

usage: temporal-fields.py temporal.proto     (needs PyPI temporalio and protoc)

Each message is held against the official ones of that name: number, type and
whether it is repeated; each enumeration likewise: the numbers of its values. A
name that is official in several packages counts when one of them fits. Prints
what differs; the exit status says whether any does.
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
    """The official messages and enumerations by name, nested ones too."""
    messages, enums = {}, {}

    def add_enums(listed):
        for enum in listed:
            enums.setdefault(enum.name, []).append(enum)

    def add(message):
        messages.setdefault(message.name, []).append(message)
        add_enums(message.enum_types)
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
        add_enums(module.DESCRIPTOR.enum_types_by_name.values())
    return messages, enums


def names_other(field, theirs):
    """Whether the message or enumeration that is its type has another name."""
    if field.type_name == "" or field.type_name.endswith("Entry"):
        return False
    wanted = theirs.message_type or theirs.enum_type
    return field.type_name.rpartition(".")[2] != wanted.name


def faults(message, wanted):
    for field in message.field:
        theirs = wanted.fields_by_name.get(field.name)
        name = f"{message.name}.{field.name}"
        if theirs is None:
            yield f"{name}: not in the original"
        elif theirs.number != field.number:
            yield f"{name}: number {field.number}, originally {theirs.number}"
        elif theirs.type != field.type:
            yield f"{name}: type {field.type}, originally {theirs.type}"
        elif theirs.is_repeated != (field.label == FIELD.LABEL_REPEATED):
            yield f"{name}: repeated here or there only"
        elif names_other(field, theirs):
            wanted_type = theirs.message_type or theirs.enum_type
            yield f"{name}: is a {wanted_type.name} originally"


def enum_faults(enum, wanted):
    for value in enum.value:
        theirs = wanted.values_by_name.get(value.name)
        if theirs is None:
            yield f"{value.name}: not in the original"
        elif theirs.number != value.number:
            yield f"{value.name}: number {value.number}, originally {theirs.number}"


def ours(path):
    """Our messages, nested ones too, and our enumerations."""
    with tempfile.NamedTemporaryFile() as out:
        folder, _, name = path.rpartition("/")
        subprocess.run(
            ["protoc", f"--proto_path={folder or '.'}", "-o", out.name, name],
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    messages = list(files.file[0].message_type)
    for message in files.file[0].message_type:
        messages.extend(message.nested_type)
    enums = list(files.file[0].enum_type)
    for message in messages:
        enums.extend(message.enum_type)
    return messages, enums


def best(candidates, compare, ours_one):
    """What differs from the official one that fits best."""
    if not candidates:
        return [f"{ours_one.name}: there is no such message or enumeration"]
    return min((list(compare(ours_one, wanted)) for wanted in candidates), key=len)


def main():
    messages, enums = official()
    our_messages, our_enums = ours(sys.argv[1])
    # google.rpc.Status comes as MultiOperation... and grpc's own in other
    # wheels; its numbers are fixed by the protocol
    fixed = {"Status": {"code": 1, "message": 2, "details": 3}}
    wrong, fields, values = [], 0, 0
    for message in our_messages:
        fields += len(message.field)
        if message.name in fixed:
            wrong += [
                f"{message.name}.{field.name}: number {field.number}"
                for field in message.field
                if fixed[message.name].get(field.name) != field.number
            ]
        else:
            wrong += best(messages.get(message.name), faults, message)
    for enum in our_enums:
        values += len(enum.value)
        wrong += best(enums.get(enum.name), enum_faults, enum)
    for line in wrong:
        print(line)
    print(f"{fields} fields, {values} values, {len(wrong)} faults")
    return bool(wrong) or fields == 0 or values == 0


sys.exit(main())
