//! The contract only grows: every field, value and method that was ever
//! published keeps its number, type and name.
//!
//! `contract.txt` lists what is published, one a line. A change that adds
//! brings its lines with it (run this test with `CUSTODY_WRITE_CONTRACT=1`);
//! one that takes a line away breaks every client that was built before.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use custody_proto::DESCRIPTORS;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contract.txt");

#[test]
fn nothing_that_was_published_is_gone_or_changed() {
    let now = published(DESCRIPTORS);
    if std::env::var_os("CUSTODY_WRITE_CONTRACT").is_some() {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(FILE, text).unwrap();
    }
    let text = std::fs::read_to_string(Path::new(FILE)).unwrap();
    let then: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let gone: Vec<_> = then.difference(&now).collect();
    assert!(
        gone.is_empty(),
        "published, and gone or changed; put it back: {gone:#?}"
    );
    let new: Vec<_> = now.difference(&then).collect();
    assert!(
        new.is_empty(),
        "new, and not in contract.txt; run this test with CUSTODY_WRITE_CONTRACT=1: {new:#?}"
    );
}

/// The lines of a descriptor set, of the packages that are ours.
fn published(descriptors: &[u8]) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let mut lines = BTreeSet::new();
    for file in &set.file {
        if file.package().starts_with("custody.") {
            file_lines(file, &mut lines);
        }
    }
    lines
}

fn file_lines(file: &FileDescriptorProto, lines: &mut BTreeSet<String>) {
    for message in &file.message_type {
        message_lines(file.package(), message, lines);
    }
    for of in &file.enum_type {
        enum_lines(file.package(), of, lines);
    }
    for service in &file.service {
        service_lines(file.package(), service, lines);
    }
}

fn message_lines(scope: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    let name = format!("{scope}.{}", message.name());
    lines.insert(format!("message {name}"));
    for field in &message.field {
        lines.insert(field_line(&name, message, field));
    }
    for nested in &message.nested_type {
        message_lines(&name, nested, lines);
    }
    for of in &message.enum_type {
        enum_lines(&name, of, lines);
    }
}

fn field_line(scope: &str, message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum | Type::Group => field.type_name().to_owned(),
        scalar => scalar.as_str_name().to_owned(),
    };
    let label = match field.label() {
        Label::Repeated => "repeated ",
        Label::Optional if field.proto3_optional() => "optional ",
        _ => "",
    };
    let oneof = match field.oneof_index {
        Some(index) if !field.proto3_optional() => message.oneof_decl.get(index as usize),
        _ => None,
    };
    let oneof = oneof.map_or(String::new(), |oneof| format!(" in oneof {}", oneof.name()));
    let (name, number) = (field.name(), field.number());
    format!("field {scope}.{name} = {number}: {label}{kind}{oneof}")
}

fn enum_lines(scope: &str, of: &EnumDescriptorProto, lines: &mut BTreeSet<String>) {
    for value in &of.value {
        let (of, name, number) = (of.name(), value.name(), value.number());
        lines.insert(format!("value {scope}.{of}.{name} = {number}"));
    }
}

fn service_lines(scope: &str, service: &ServiceDescriptorProto, lines: &mut BTreeSet<String>) {
    let stream = |is: bool| if is { "stream " } else { "" };
    for method in &service.method {
        lines.insert(format!(
            "rpc {scope}.{}.{}({}{}) returns ({}{})",
            service.name(),
            method.name(),
            stream(method.client_streaming()),
            method.input_type(),
            stream(method.server_streaming()),
            method.output_type(),
        ));
    }
}

#[test]
fn a_changed_number_is_seen() {
    let mut set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let file = set
        .file
        .iter_mut()
        .find(|file| file.name() == "custody/v1/entry.proto")
        .unwrap();
    let field = &mut file.message_type[0].field[0];
    field.number = Some(field.number() + 1000);
    let changed = published(&set.encode_to_vec());
    assert_ne!(changed, published(DESCRIPTORS));
    assert!(published(DESCRIPTORS).difference(&changed).next().is_some());
}
