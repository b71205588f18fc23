//! Whether the operations of a file can be made through the interface that it names.

use std::time::Duration;

use super::document::{Path, root};
use super::file::File;
use super::sense::Sense;
use crate::load::{Kind, Many, Through};
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
        if !file.load.through.has(given.op) {
            let through = file.load.through;
            let cure = format!("write another operation; it has {}", through.kinds_of_one().join(", "));
            sense.wrong(&path.key("op"), lacks(through, given.op.name()), cure);
        }
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
    let (mix, through) = (&load.mix, load.through);
    let one = Kind::ALL.into_iter().filter(|kind| mix.weight(*kind) > 0 && !through.has(*kind));
    let many = Many::ALL.into_iter().filter(|many| mix.weight_of(*many) > 0 && !through.has_many(*many));
    let names: Vec<&str> = one.map(Kind::name).chain(many.map(Many::name)).collect();
    if sense.is_written(&path.key("mix")) {
        for name in names {
            let cure = format!("remove it; it has {}", has(through));
            sense.wrong(&path.key("mix").key(name), lacks(through, name), cure);
        }
    } else if !names.is_empty() {
        let what =
            format!("{} has no {}, which the default mix has", load.through.name(), names.join(" and "));
        let cure =
            format!("write a `mix` of {}, such as mix = {{ get = 70, create = 30 }}", has(load.through));
        sense.wrong(&path.key("through"), what, cure);
    }
}

fn lacks(through: Through, name: &str) -> String {
    format!("{} has no {name}", through.name())
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
