"""The protobuf messages of a backup, built here so that no compiler is needed.

Only fields that the dump needs are named; the runtime passes over others. Enumerations are plain numbers. `bytes`
stands where the message says string, but builds exist that wrote bytes that are no UTF-8 there.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "backup"
_Field = descriptor_pb2.FieldDescriptorProto

# Message -> (field, number, type); a leading "*" means repeated, a capital letter another message of this table.
_MESSAGES = {
    "KVList": [("kv", 1, "*KV")],
    "KV": [("key", 1, "bytes"), ("value", 2, "bytes"), ("user_meta", 3, "bytes"), ("version", 4, "uint64")],
    "BackupKey": [
        ("type", 1, "int32"),
        ("attr", 2, "string"),
        ("uid", 3, "uint64"),
        ("start_uid", 4, "uint64"),
        ("namespace", 7, "uint64"),
    ],
    "PostingList": [
        ("uids", 1, "*uint64"),
        ("postings", 2, "*Posting"),
        ("splits", 4, "*uint64"),
        ("uid_bytes", 5, "bytes"),
    ],
    "Posting": [
        ("uid", 1, "fixed64"),
        ("value", 2, "bytes"),
        ("val_type", 3, "int32"),
        ("posting_type", 4, "int32"),
        ("lang_tag", 5, "bytes"),
        ("facets", 9, "*Facet"),
        ("op", 12, "uint32"),
    ],
    "Facet": [("key", 1, "string"), ("value", 2, "bytes"), ("val_type", 3, "int32")],
    "SchemaUpdate": [
        ("predicate", 1, "bytes"),
        ("value_type", 2, "int32"),
        ("directive", 3, "int32"),
        ("tokenizer", 4, "*string"),
        ("count", 5, "bool"),
        ("list", 6, "bool"),
        ("upsert", 8, "bool"),
        ("lang", 9, "bool"),
        ("no_conflict", 13, "bool"),
        ("unique", 14, "bool"),
        ("index_specs", 15, "*VectorIndexSpec"),
    ],
    "VectorIndexSpec": [("name", 1, "string")],
    "TypeUpdate": [("type_name", 1, "bytes"), ("fields", 2, "*SchemaUpdate")],
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="backup.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.append(_field(field, number, kind))
    return file


def _field(name: str, number: int, kind: str) -> _Field:
    label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
    kind = kind.lstrip("*")
    if kind[0].isupper():
        return _Field(name=name, number=number, label=label, type=_Field.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{kind}")
    return _Field(name=name, number=number, label=label, type=_Field.Type.Value(f"TYPE_{kind.upper()}"))


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


KVList = _message_class("KVList")
KV = _message_class("KV")
BackupKey = _message_class("BackupKey")
PostingList = _message_class("PostingList")
Posting = _message_class("Posting")
Facet = _message_class("Facet")
SchemaUpdate = _message_class("SchemaUpdate")
TypeUpdate = _message_class("TypeUpdate")
