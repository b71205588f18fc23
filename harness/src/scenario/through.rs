//! Whether the operations of a file can be made through the interface that it names.

use std::time::Duration;

use super::document::{Path, root};
use super::file::File;
use super::sense::Sense;
use crate::load::{Kind, Through};
use crate::units::format_duration;

/// The route takes no less.
const EXTENDS_BY: Duration = Duration::from_secs(1);

/// Tells of kinds of operation that the interface does not have, and of TTLs that it does not take.
pub(super) fn check(sense: &mut Sense<'_, '_>, file: &File) {
    if file.operation.is_empty() {
        mix(sense, file);
    }
    for (number, given) in file.operation.iter().enumerate() {
        let path = root("operation").index(number);
        kind(sense, file.load.through, given.op, &path.key("op"), "write another operation");
        if given.op == Kind::Touch
            && let Some(ttl) = given.ttl
        {
            extension(sense, file.load.through, ttl, &path.key("ttl"));
        }
    }
    extension(sense, file.load.through, file.load.ttl, &root("load").key("ttl"));
}

fn mix(sense: &mut Sense<'_, '_>, file: &File) {
    let (load, path) = (&file.load, root("load"));
    let lacks = |kind: &Kind| load.mix.weight(*kind) > 0 && !load.through.has(*kind);
    let lacking: Vec<Kind> = Kind::ALL.into_iter().filter(lacks).collect();
    if sense.is_written(&path.key("mix")) {
        for each in lacking {
            kind(sense, load.through, each, &path.key("mix").key(each.name()), "remove it");
        }
    } else if !lacking.is_empty() {
        let names: Vec<&str> = lacking.into_iter().map(Kind::name).collect();
        let what =
            format!("{} has no {}, which the default mix has", load.through.name(), names.join(" and "));
        let cure =
            format!("write a `mix` of {}, such as mix = {{ get = 70, create = 30 }}", has(load.through));
        sense.wrong(&path.key("through"), what, cure);
    }
}

fn kind(sense: &mut Sense<'_, '_>, through: Through, kind: Kind, path: &Path, cure: &str) {
    if !through.has(kind) {
        let what = format!("{} has no {}", through.name(), kind.name());
        sense.wrong(path, what, format!("{cure}; it has {}", has(through)));
    }
}

fn extension(sense: &mut Sense<'_, '_>, through: Through, ttl: Duration, path: &Path) {
    if through == Through::Http && ttl < EXTENDS_BY {
        let what = format!("a TTL of {}, and no route over HTTP extends by so little", format_duration(ttl));
        sense.wrong(path, what, "it must be 1s at least");
    }
}

fn has(through: Through) -> String {
    through.kinds().join(", ")
}
