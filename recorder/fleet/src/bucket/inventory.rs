//! The segments and packs of a namespace, as a list of its keys tells.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::bucket::format::pack::{PackedSegment, read_directory};
use crate::bucket::format::records::parse_node_key;
use crate::bucket::format::segment_name::{PackName, SegmentName};
use crate::bucket::keys::{DataKeyName, PublicKeyName};
use crate::bucket::object_store::{Listed, ObjectStore, Part};
use crate::bucket::{BUILDS, SETTINGS};
use crate::fleet_error::FleetError;

/// The objects of a namespace.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) live: Vec<(SegmentName, Listed)>,
    pub(super) packs: Vec<(PackName, Listed)>,
    pub(super) builds: u64,
    pub(super) public_keys: Vec<(PublicKeyName, Listed)>,
    pub(super) data_keys: Vec<DataKeyName>,
    /// Size of all objects, in bytes.
    pub(super) bytes: u64,
    /// Keys that zerver has not written.
    pub(super) foreign: Vec<String>,
    /// Time of the list, by the clock of the server.
    pub(super) now: Timestamp,
}

impl Inventory {
    /// Lists everything in a namespace. A segment is listed before the pack that takes its place is looked for, so that none is
    /// missed.
    pub(super) fn read(store: &ObjectStore) -> Result<Self, FleetError> {
        let listing = store.list("", None)?;
        let mut inventory = Self { now: listing.now, ..Self::default() };
        for object in listing.objects {
            inventory.bytes = inventory.bytes.saturating_add(object.size);
            if let Some(name) = SegmentName::parse(&object.key) {
                inventory.live.push((name, object));
            } else if let Some(name) = PackName::parse(&object.key) {
                inventory.packs.push((name, object));
            } else if let Some(name) = PublicKeyName::parse(&object.key) {
                inventory.public_keys.push((name, object));
            } else if let Some(name) = DataKeyName::parse(&object.key) {
                inventory.data_keys.push(name);
            } else if object.key.starts_with(BUILDS) {
                inventory.builds += 1;
            } else if object.key != SETTINGS && parse_node_key(&object.key).is_none() {
                inventory.foreign.push(object.key);
            }
        }
        Ok(inventory)
    }
}

/// A pack and its directory.
#[derive(Debug)]
pub(super) struct OpenPack {
    pub(super) object: Listed,
    pub(super) segments: Vec<PackedSegment>,
}

impl OpenPack {
    /// Returns the segment that has the blocks of another.
    pub(super) fn covering(&self, name: &SegmentName) -> Option<&PackedSegment> {
        self.segments.iter().find(|packed| {
            packed.node() == name.node && packed.first <= name.first && name.last <= packed.last
        })
    }
}

/// Reads the directories of packs, by their hours. Those that cannot be read are named in `damaged`.
pub(super) fn open_packs<'p>(
    store: &ObjectStore,
    packs: impl IntoIterator<Item = &'p (PackName, Listed)>,
    damaged: &mut Vec<String>,
) -> Result<BTreeMap<String, Vec<OpenPack>>, FleetError> {
    let packs: Vec<_> = packs.into_iter().collect();
    let directories = packs.iter().map(|(name, object)| directory_part(name, object.size));
    let directories = store.get_parts(&directories.collect::<Vec<_>>());
    let mut open: BTreeMap<String, Vec<OpenPack>> = BTreeMap::new();
    for ((name, object), bytes) in packs.into_iter().zip(directories) {
        // One that is gone was removed for its age.
        let Some(bytes) = bytes? else { continue };
        match read_directory(name, &bytes, object.size) {
            Ok(segments) => {
                open.entry(name.hour.clone())
                    .or_default()
                    .push(OpenPack { object: object.clone(), segments });
            }
            Err(error) => damaged.push(format!("the object {}{}: {error}", store.url.prefix, object.key)),
        }
    }
    Ok(open)
}

/// Returns the part of a pack with its directory.
pub(super) fn directory_part(name: &PackName, size: u64) -> Part {
    Part { key: name.key(), range: Some(size.saturating_sub(name.directory)..size.max(1)) }
}
